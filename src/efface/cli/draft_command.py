"""``efface draft``: print a first policy, from names and types of columns."""

from __future__ import annotations

from efface.cli.configuration import DatabaseOption, ModelsOption, Settings
from efface.cli.error_reporting import report_errors
from efface.cli.terminal_output import print_result, show_progress
from efface.errors import SettingsError
from efface.policy.draft import draft as make_draft
from efface.policy.schema_drift import reflect
from efface.store.efface_tables import metadata as efface_tables


@report_errors
def draft(models: ModelsOption = None, database: DatabaseOption = None) -> None:
    """Print a first policy as TOML, from models or from a database.

    Guesses say how sure they are; what cannot be guessed is listed and stays undecided.
    """
    settings = Settings.find()
    metadata = settings.metadata(models) if models or not database else None
    if metadata is None:
        if not database and "database" not in settings.values:
            raise SettingsError("Name what to draft from: --models module:Base or --database URL.")
        with settings.engine(database) as engine, show_progress("Reading the schema"):
            metadata = reflect(engine, exclude=efface_tables.tables)
    print_result(make_draft(metadata).rstrip("\n"))
