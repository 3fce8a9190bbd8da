"""``efface draft``: print a first policy, from names and types of columns."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import Engine, inspect

from efface.cli.configuration import DatabaseOption, ModelsOption, Settings
from efface.cli.error_reporting import report_errors
from efface.cli.terminal_output import print_result, show_progress
from efface.errors import SettingsError
from efface.policy.did_you_mean import did_you_mean
from efface.policy.draft import draft as make_draft
from efface.policy.schema_drift import application_schemas, reflect
from efface.store.efface_tables import metadata as efface_tables


@report_errors
def draft(
    models: ModelsOption = None,
    database: DatabaseOption = None,
    *,
    people: Annotated[
        str | None,
        typer.Option("--people", metavar="TABLE", help="The users' table; by default a guess."),
    ] = None,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", metavar="NAME", help="Only this schema; can be repeated."),
    ] = None,
) -> None:
    """Print a first policy as TOML, from models or from a database.

    Each guess says how sure it is. Efface lists columns and tables that still need a rule. It looks
    at all schemas of a database, unless you name some.
    """
    settings = Settings.find()
    metadata = settings.metadata(models) if models or not database else None
    if metadata is not None and schema:
        raise SettingsError("--schema is for a database: models say which schemas they are in.")
    if metadata is None:
        if not database and "database" not in settings.values:
            raise SettingsError(
                "draft needs models or a database: --models module:Base, or --database URL."
            )
        with settings.engine(database) as engine, show_progress("Reading the schema"):
            found = _schemas(engine, schema) if schema else application_schemas(engine)
            metadata = reflect(engine, found, exclude=efface_tables.tables)
    print_result(make_draft(metadata, people).rstrip("\n"))


def _schemas(engine: Engine, names: list[str]) -> list[str | None]:
    """Return the schemas with these *names*; the default one is None."""
    inspector = inspect(engine)
    known = inspector.get_schema_names()
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, listed=12)
            raise SettingsError(f"--schema {name} is no schema of this database.{hint}")
    return [None if name == inspector.default_schema_name else name for name in names]
