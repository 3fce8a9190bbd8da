"""Lock a user's row, and claim pending work, on PostgreSQL and on SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, TableClause, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import Executable


def lock(
    dialect: Dialect,
    table: TableClause,
    where: ColumnElement[bool],
    *,
    columns: list[ColumnElement[Any]],
    key: list[ColumnElement[Any]],
    no_op_column: ColumnElement[Any],
) -> Executable:
    """Return the statement that locks the rows and reads *columns* from them.

    PostgreSQL: ``FOR UPDATE`` is the only row lock for which a foreign key's check waits. The
    order by *key* keeps two batches with common rows from waiting for each other.

    SQLite ignores ``FOR UPDATE``, and the caller's transaction usually begins as a reader. So an
    UPDATE that sets *no_op_column* to itself takes the write lock before anything is read.
    """
    if dialect.name == "sqlite":
        return update(table).where(where).values({no_op_column: no_op_column}).returning(*columns)
    return select(*columns).where(where).order_by(*key).with_for_update()


def claim(
    dialect: Dialect,
    table: TableClause,
    where: ColumnElement[bool],
    *,
    columns: list[ColumnElement[Any]],
    key: ColumnElement[Any],
    no_op_column: ColumnElement[Any],
) -> Executable:
    """Return the statement that locks and reads the first row no other session has locked.

    SQLite has one writer at a time, so an UPDATE that sets *no_op_column* to itself is enough.
    """
    first = select(key).where(where).order_by(key).limit(1)
    if dialect.name == "sqlite":
        mine = key == first.scalar_subquery()
        return update(table).where(mine).values({no_op_column: no_op_column}).returning(*columns)
    return first.with_only_columns(*columns).with_for_update(skip_locked=True)
