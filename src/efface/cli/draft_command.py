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

    Each guess says how sure it is. Efface lists columns and tables that still need a rule.
    """
    settings = Settings.find()
    metadata = settings.metadata(models) if models or not database else None
    if metadata is None:
        if not database and "database" not in settings.values:
            raise SettingsError(
                "draft needs models or a database: --models module:Base, or --database URL."
            )
        with settings.engine(database) as engine, show_progress("Reading the schema"):
            metadata = reflect(engine, exclude=efface_tables.tables)
    print_result(make_draft(metadata).rstrip("\n"))
