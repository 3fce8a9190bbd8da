"""Define four operations: add and drop the ``deleted_at`` column and Efface's tables."""

from __future__ import annotations

from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import CreateIndexOp, CreateTableOp
from sqlalchemy import Column, DateTime, Select, TableClause, delete, false, func, select, text
from sqlalchemy import column as column_of
from sqlalchemy import table as table_of

from efface.errors import ClosedAccountsError
from efface.store.efface_tables import metadata


@Operations.register_operation("add_deleted_at")
class AddDeletedAt(MigrateOperation):
    """Add the column that marks a closed account, and an index of open accounts."""

    def __init__(self, table: str, column: str, key: str, schema: str | None) -> None:
        """Store the table, the column and the primary key."""
        self.table, self.column, self.key, self.schema = table, column, key, schema

    @classmethod
    def add_deleted_at(
        cls,
        operations: Operations,
        table: str,
        column: str = "deleted_at",
        *,
        key: str = "id",
        schema: str | None = None,
    ) -> None:
        """Add *column* to *table*, as a nullable timestamp with time zone.

        Deploy this migration and `hide_closed` before you let users close accounts. The index
        ``ix_<table>_open`` over *key* contains open accounts only. Keep each unique index of the
        table total, because placeholders are unique.

        Example:
            op.add_deleted_at("users")
        """
        operations.invoke(cls(table, column, key, schema))

    def reverse(self) -> MigrateOperation:
        """Return the operation that drops the column."""
        return DropDeletedAt(self.table, self.column, self.key, self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return how `alembic check` names the operation."""
        return ("add_deleted_at", self.table, self.column)


@Operations.implementation_for(AddDeletedAt)
def _add_deleted_at(operations: Operations, operation: AddDeletedAt) -> None:
    new: Column[Any] = Column(operation.column, DateTime(timezone=True), nullable=True)
    operations.add_column(operation.table, new, schema=operation.schema)
    # A partial index stays small, and finds open accounts by key.
    is_open = text(f"{operation.column} IS NULL")
    operations.create_index(
        f"ix_{operation.table}_open",
        operation.table,
        [operation.key],
        schema=operation.schema,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


@Operations.register_operation("drop_deleted_at")
class DropDeletedAt(MigrateOperation):
    """Drop the ``deleted_at`` column, unless closed accounts would become visible."""

    def __init__(self, table: str, column: str, key: str, schema: str | None) -> None:
        """Store the table, the column and the primary key."""
        self.table, self.column, self.key, self.schema = table, column, key, schema

    @classmethod
    def drop_deleted_at(
        cls,
        operations: Operations,
        table: str,
        column: str = "deleted_at",
        *,
        key: str = "id",
        schema: str | None = None,
    ) -> None:
        """Drop *column* from *table*.

        Raises:
            ClosedAccountsError: there are closed accounts, which would become visible.
        """
        operations.invoke(cls(table, column, key, schema))

    def reverse(self) -> MigrateOperation:
        """Return the operation that adds the column again."""
        return AddDeletedAt(self.table, self.column, self.key, self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return how `alembic check` names the operation."""
        return ("drop_deleted_at", self.table, self.column)


@Operations.implementation_for(DropDeletedAt)
def _drop_deleted_at(operations: Operations, operation: DropDeletedAt) -> None:
    deleted_at: Column[Any] = column_of(operation.column)  # type: ignore[assignment]  # as a name
    people = table_of(operation.table, deleted_at, schema=operation.schema)
    closed = select(func.count()).select_from(people).where(deleted_at.is_not(None))
    rows = _counted(operations, people, closed)
    if rows != 0:
        raise ClosedAccountsError(operation.table, operation.column, rows)
    operations.drop_index(
        f"ix_{operation.table}_open", table_name=operation.table, schema=operation.schema
    )
    operations.drop_column(operation.table, operation.column, schema=operation.schema)


@Operations.register_operation("create_efface_tables")
class CreateEffaceTables(MigrateOperation):
    """Create the tables that Efface owns."""

    @classmethod
    def create_efface_tables(cls, operations: Operations) -> None:
        """Create the tables that Efface owns, with their indexes.

        Example:
            op.create_efface_tables()
        """
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        """Return the operation that drops the tables."""
        return DropEffaceTables()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return how `alembic check` names the operation."""
        return ("create_efface_tables",)


@Operations.implementation_for(CreateEffaceTables)
def _create_efface_tables(operations: Operations, _: CreateEffaceTables) -> None:
    for table in metadata.sorted_tables:
        operations.invoke(CreateTableOp.from_table(table))
        for index in sorted(table.indexes, key=lambda index: index.name or ""):
            operations.invoke(CreateIndexOp.from_index(index))


@Operations.register_operation("drop_efface_tables")
class DropEffaceTables(MigrateOperation):
    """Drop the tables that Efface owns, including each receipt."""

    @classmethod
    def drop_efface_tables(cls, operations: Operations) -> None:
        """Drop the tables that Efface owns.

        Raises:
            ClosedAccountsError: there are receipts. Without them no record explains the tombstone
            rows.
        """
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        """Return the operation that creates the tables."""
        return CreateEffaceTables()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return how `alembic check` names the operation."""
        return ("drop_efface_tables",)


@Operations.implementation_for(DropEffaceTables)
def _drop_efface_tables(operations: Operations, _: DropEffaceTables) -> None:
    for table in reversed(metadata.sorted_tables):
        rows = _counted(operations, table, select(func.count()).select_from(table))
        if rows != 0:
            raise ClosedAccountsError(table.name, "reference", rows)
        operations.drop_table(table.name)


def _counted(operations: Operations, table: TableClause, closed: Select[int]) -> int | None:
    """Lock *table*, then return the number of its rows for closed accounts, or None if unknown.

    With the lock no account can close before the migration drops the column.
    """
    if operations.migration_context.as_sql:
        # In offline mode (--sql) there is no database to count in. None is not 0, so the caller
        # refuses to drop.
        return None
    bind = operations.get_bind()
    if bind.dialect.name == "postgresql":
        # Wait for closures in progress, and block new ones until the migration commits.
        name = bind.dialect.identifier_preparer.format_table(table)
        bind.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))
    else:
        # SQLite locks the whole database. A DELETE takes the lock even if it deletes nothing.
        bind.execute(delete(table).where(false()))
    rows: int | None = bind.scalar(closed)
    return rows
