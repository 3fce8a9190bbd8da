"""Build the SQL that differs between PostgreSQL and SQLite, except for locks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BindParameter,
    Column,
    ColumnElement,
    DateTime,
    Select,
    String,
    Text,
    TypeDecorator,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from efface.policy.actions import DIGITS


class RandomHexadecimal(ColumnElement[str]):
    """32 random hexadecimal digits that the database generates, others for each row."""

    type = String()
    inherit_cache = True
    digits = DIGITS


@compiles(RandomHexadecimal, "sqlite")
def _sqlite_token(_element: RandomHexadecimal, _compiler: SQLCompiler, **_: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(RandomHexadecimal, "postgresql")
def _postgresql_token(_element: RandomHexadecimal, _compiler: SQLCompiler, **_: Any) -> str:
    # Built in since PostgreSQL 13, with a strong random source; 122 of 128 bits are random.
    return "replace(gen_random_uuid()::text, '-', '')"


def is_any_of(
    dialect: Dialect, target: ColumnElement[Any], name: str, type_: TypeEngine[Any]
) -> ColumnElement[bool]:
    """Return the condition that *target* is one of the values bound as *name*.

    It has one parameter for any number of values, so the statement is compiled once. PostgreSQL
    gets the column's own array type: ``bigint = ANY(int4[])`` would search linearly for each row.
    """
    if dialect.name == "postgresql":
        return target == any_(bindparam(name, type_=ARRAY(type_)))
    values = func.json_each(bindparam(name, type_=JSONList(type_))).table_valued("value")
    return target.in_(select(values.c.value))


def paired_values(
    dialect: Dialect, one: tuple[str, TypeEngine[Any]], other: tuple[str, TypeEngine[Any]]
) -> Select[Any]:
    """Return a query of the n-th values of two lists of the same length, as pairs.

    Each list is one parameter, given by its name and the type of its values.
    """
    if dialect.name == "postgresql":
        lists = (bindparam(name, type_=ARRAY(type_)) for name, type_ in (one, other))
        both = func.unnest(*lists).table_valued("one", "other").render_derived()
        return select(both.c.one, both.c.other)
    first, second = (
        func.json_each(bindparam(name, type_=JSONList(type_))).table_valued("key", "value")
        for name, type_ in (one, other)
    )
    return select(first.c.value, second.c.value).where(first.c.key == second.c.key)


def rows_of_json(dialect: Dialect, columns: Sequence[Column[str]]) -> Select[Any]:
    """Return a query whose rows are the objects in the JSON text bound as ``records``.

    It has one parameter for any number of rows. Drivers convert or send rows one by one, and
    psycopg escapes the elements of arrays slowly.
    """
    records = bindparam("records", type_=Text())
    if dialect.name == "postgresql":
        typed = [column(each.name, each.type) for each in columns]
        rows = func.json_to_recordset(cast(records, JSON())).table_valued(*typed)
        return select(*rows.render_derived(with_types=True).c)
    record = func.json_each(records).table_valued("value").c.value
    found: list[ColumnElement[Any]] = [
        func.json_extract(record, f"$.{each.name}", type_=each.type).label(each.name)
        for each in columns
    ]
    return select(*found)


def at_moment(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that *column* has the moment that `moment_bounds` binds as *name*.

    SQLite stores a moment as text, with or without the fraction of a whole second, so ``=`` does
    not find equal moments.
    """
    first, last = (moment_parameter(f"{name}_{end}", column.type) for end in ("first", "last"))
    return column.between(first, last)


def moment_parameter(name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
    """Return the parameter *name* for an aware moment that a column of *type_* takes.

    PostgreSQL would convert the moment to the time zone of the session for a column without a time
    zone, and asyncpg refuses it: such a column has UTC. A type of the application decides itself.
    """
    is_naive = isinstance(type_, DateTime) and not type_.timezone
    return bindparam(name, type_=NaiveUTC() if is_naive else type_)


def moment_bounds(name: str, moment: datetime) -> dict[str, datetime]:
    """Return the values for `at_moment`: one microsecond before and after *moment*."""
    step = timedelta(microseconds=1)
    return {f"{name}_first": moment - step, f"{name}_last": moment + step}


class NaiveUTC(TypeDecorator[datetime]):
    """A moment in UTC, in a column without a time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return *value* in UTC, without the time zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)


class JSONList(TypeDecorator[list[Any]]):
    """A list of values as one JSON text, each in the form that the database stores."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        """Keep *item*, the type of the values."""
        super().__init__()
        self.item = item

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> str | None:
        """Return the list as JSON text."""
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return json.dumps([process(v) if process else v for v in value or ()])


def from_text(
    dialect: Dialect, text: ColumnElement[Any], type_: TypeEngine[Any]
) -> ColumnElement[Any]:
    """Return *text*, a parameter, as a value of *type_*.

    PostgreSQL accepts text as JSON only with a cast. SQLite stores JSON as text, and would turn it
    into a number when casting to a type it does not know.
    """
    if dialect.name == "postgresql":
        return cast(text, type_)
    return type_coerce(text, Text())
