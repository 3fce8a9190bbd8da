"""The lock on a user's row and the claim on pending work: what differs between the databases."""

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

    SQLite ignores FOR UPDATE, and the caller's transaction has usually begun as a reader: there a
    write that changes nothing takes the lock before anything is read, so nobody can write in
    between. Elsewhere FOR UPDATE is the only row lock that a foreign key's check waits for; the
    order keeps two batches that overlap from waiting for each other.
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
    """Return the statement that locks the first row that nobody else has locked, and reads it.

    On SQLite there is one writer at a time, so the write that changes nothing is lock enough.
    """
    first = select(key).where(where).order_by(key).limit(1)
    if dialect.name == "sqlite":
        mine = key == first.scalar_subquery()
        return update(table).where(mine).values({no_op_column: no_op_column}).returning(*columns)
    return first.with_only_columns(*columns).with_for_update(skip_locked=True)
