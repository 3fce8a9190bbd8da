"""What differs between the databases: the lock and the random token."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    TableClause,
    Text,
    bindparam,
    cast,
    select,
    type_coerce,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine


class Token(ColumnElement[str]):
    """32 random hexadecimal digits, made by the database for every row anew."""

    type = String()
    inherit_cache = True


@compiles(Token, "sqlite")
def _sqlite_token(_element: Token, _compiler: SQLCompiler, **_: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(Token, "postgresql")
def _postgresql_token(_element: Token, _compiler: SQLCompiler, **_: Any) -> str:
    # In the core since PostgreSQL 13, from a strong random source; 122 of 128 bits are random.
    return "replace(gen_random_uuid()::text, '-', '')"


def from_text(dialect: Dialect, name: str, type_: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return the parameter *name*, given as text, as a value of *type_*.

    PostgreSQL takes text for JSON only through a cast. SQLite keeps JSON as text, and a cast to a
    type it does not know would turn it into a number.
    """
    text: ColumnElement[Any] = bindparam(name, type_=Text())
    if dialect.name == "postgresql":
        return cast(text, type_)
    return type_coerce(text, Text())


def lock(
    dialect: Dialect,
    table: TableClause,
    where: ColumnElement[bool],
    columns: list[ColumnElement[Any]],
    untouched: ColumnElement[Any],
) -> Executable:
    """Return the statement that locks the subject's row and reads *columns* from it.

    SQLite ignores FOR UPDATE, and the caller's transaction has usually begun as a reader: there a
    write that changes nothing takes the lock before anything is read, so nobody can write in
    between. Elsewhere FOR UPDATE is the only row lock that a foreign key's check waits for.
    """
    if dialect.name == "sqlite":
        return update(table).where(where).values({untouched: untouched}).returning(*columns)
    return select(*columns).where(where).with_for_update()
