"""The operation of Django's migrations that makes the tables Efface owns."""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation
from sqlalchemy import func, select
from sqlalchemy.schema import CreateIndex, CreateTable

from efface.django.bridge import engine
from efface.errors import ClosedAccountsError
from efface.store.tables import metadata


class CreateEffaceTables(Operation):
    """Create the tables that Efface owns, with the statements every other host uses."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the state of the models to the migration."""

    def database_forwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Create the tables and their indexes."""
        alias = schema_editor.connection.alias
        if not router.allow_migrate(alias, app_label):
            return
        dialect = engine(alias).dialect
        for table in metadata.sorted_tables:
            schema_editor.execute(str(CreateTable(table).compile(dialect=dialect)), None)
            for index in sorted(table.indexes, key=lambda each: each.name or ""):
                schema_editor.execute(str(CreateIndex(index).compile(dialect=dialect)), None)

    def database_backwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Drop the tables.

        Raises:
            ClosedAccountsError: closings are recorded; without them tombstones are unexplained.
        """
        connection = schema_editor.connection
        if not router.allow_migrate(connection.alias, app_label):
            return
        for table in reversed(metadata.sorted_tables):
            with connection.cursor() as cursor:
                cursor.execute(str(select(func.count()).select_from(table)))
                rows = cursor.fetchone()[0]
            if rows:
                raise ClosedAccountsError(table.name, "reference", rows)
            schema_editor.execute(f"DROP TABLE {schema_editor.quote_name(table.name)}", None)

    def describe(self) -> str:
        """Return what it does."""
        return "Create the tables that Efface owns"
