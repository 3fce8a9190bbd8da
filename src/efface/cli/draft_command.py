"""``efface draft``: a first policy, from names and types."""

from __future__ import annotations

from efface.cli.configuration import DatabaseOption, ModelsOption, Settings
from efface.cli.error_reporting import reporting
from efface.cli.terminal_output import say, working
from efface.errors import SettingsError
from efface.policy.draft import draft as make_draft
from efface.policy.schema_drift import reflect
from efface.store.efface_tables import metadata as own


@reporting
def draft(models: ModelsOption = None, database: DatabaseOption = None) -> None:
    """Print a first policy as TOML, from models or from a database.

    Guesses say how sure they are; what cannot be guessed is listed and stays undecided.
    """
    settings = Settings.found()
    metadata = settings.metadata(models) if models or not database else None
    if metadata is None:
        if not database and "database" not in settings.values:
            raise SettingsError("Name what to draft from: --models module:Base or --database URL.")
        with settings.engine(database) as engine, working("Reading the schema"):
            metadata = reflect(engine, exclude=own.tables)
    say(make_draft(metadata).rstrip("\n"))
