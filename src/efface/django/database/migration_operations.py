"""Define the operations of Efface's migrations: its tables, and the built-in user's column."""

from __future__ import annotations

from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation
from sqlalchemy import func, select
from sqlalchemy.schema import CreateIndex, CreateTable

from efface.django.database.django_connection import get_engine
from efface.django.schema.deleted_at_field import FIELD_NAME, DeletedAtField, user_model_label
from efface.errors import ClosedAccountsError
from efface.store.efface_tables import metadata


class CreateEffaceTables(Operation):
    """Create the tables that Efface owns, with the same statements as all other integrations."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing, because the migration itself declares the model."""

    def database_forwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Create the tables and their indexes."""
        alias = schema_editor.connection.alias
        if not router.allow_migrate(alias, app_label):
            return
        # Pass no parameters, because otherwise Django reads each % in the SQL as a placeholder.
        dialect = get_engine(alias).dialect
        for table in metadata.sorted_tables:
            schema_editor.execute(str(CreateTable(table).compile(dialect=dialect)), None)
            for index in sorted(table.indexes, key=lambda each: each.name or ""):
                schema_editor.execute(str(CreateIndex(index).compile(dialect=dialect)), None)

    def database_backwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Drop the tables.

        Raises:
            ClosedAccountsError: there are receipts. Without them no record explains the tombstone
            rows.
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
        """Return the description of the operation."""
        return "Create the tables that Efface owns"


class AddDeletedAt(Operation):
    """Add the field that marks closed accounts to the model of another app.

    `efface.django.schema.deleted_at_field.user_model_label` names the model. Without a model the
    operation does nothing, and it keeps a column that already exists.
    """

    reversible = True

    def state_forwards(self, _: str, state: Any) -> None:
        """Add the field to the model's state, so later migrations know it."""
        # A custom user model may declare the field itself.
        found = _find_model_key(state)
        if found is not None and FIELD_NAME not in state.models[found].fields:
            state.add_field(*found, FIELD_NAME, DeletedAtField(), preserve_default=True)

    def database_forwards(self, _: str, schema_editor: Any, __: Any, to_state: Any) -> None:
        """Add the column."""
        model = self._find_model(schema_editor, to_state)
        if model is not None and not self._has_column(schema_editor, model):
            schema_editor.add_field(model, model._meta.get_field(FIELD_NAME))

    def database_backwards(self, _: str, schema_editor: Any, from_state: Any, __: Any) -> None:
        """Drop the column.

        Raises:
            ClosedAccountsError: there are closed accounts, which would become visible.
        """
        model = self._find_model(schema_editor, from_state)
        if model is None or not self._has_column(schema_editor, model):
            return
        alias = schema_editor.connection.alias
        # The base manager of this historical model is not filtered.
        closed = model._base_manager.using(alias).exclude(**{FIELD_NAME: None}).count()
        if closed:
            raise ClosedAccountsError(model._meta.db_table, FIELD_NAME, closed)
        schema_editor.remove_field(model, model._meta.get_field(FIELD_NAME))

    def describe(self) -> str:
        """Return the description of the operation."""
        return "Add the field that marks closed accounts"

    def _find_model(self, schema_editor: Any, state: Any) -> Any:
        found = _find_model_key(state)
        if found is None:
            return None
        model = state.apps.get_model(*found)
        is_here = self.allow_migrate_model(schema_editor.connection.alias, model)
        return model if is_here else None

    def _has_column(self, schema_editor: Any, model: Any) -> bool:
        # The models cannot tell: a project may have added the column by a migration of its own.
        connection = schema_editor.connection
        with connection.cursor() as cursor:
            table = connection.introspection.get_table_description(cursor, model._meta.db_table)
        return model._meta.get_field(FIELD_NAME).column in {column.name for column in table}


def _find_model_key(state: Any) -> tuple[str, str] | None:
    application, _, model = (user_model_label() or "").partition(".")
    found = application, model.lower()
    return found if found in state.models else None
