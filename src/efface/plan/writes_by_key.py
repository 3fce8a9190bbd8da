"""Statements that write rows by key: one statement for any number of rows, counted key by key."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Delete,
    FromClause,
    Integer,
    LargeBinary,
    TableClause,
    Text,
    TypeDecorator,
    Update,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from efface.plan.compiled_statement import CompiledStatement
from efface.plan.cursor import Cursor
from efface.policy.column_types import unwrapped

Values = Mapping[str, Any]


class Address(UserDefinedType[str]):
    """A part of a row's address, which is read and written as text."""


class TID(Address):
    """PostgreSQL's type for the place of a row in its table."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name."""
        return "tid"


class OID(Address):
    """PostgreSQL's number of a table."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name."""
        return "oid"


ROWIDS = ("rowid", "_rowid_", "oid")
"""SQLite's names of the number of a row; a column with the same name hides each of them."""


def row_address(dialect: Dialect, table: TableClause) -> list[ColumnElement[Any]]:
    """Return the address of a row of a *table* without a primary key.

    On PostgreSQL a ``ctid`` is unique in one partition, so the address contains the partition. It
    is valid inside one transaction, and on PostgreSQL only until the row is updated.
    """
    if dialect.name == "postgresql":
        names: dict[str, TypeEngine[Any]] = {"ctid": TID(), "tableoid": OID()}
    else:
        taken = {name.lower() for name in table.c.keys()}  # noqa: SIM118  # iterating yields columns
        names = {next(name for name in ROWIDS if name not in taken): Integer()}
    return [column(name, type_, _selectable=table) for name, type_ in names.items()]


class JSONRows(TypeDecorator[Sequence[Values]]):
    """Rows of values as one JSON text: a list of lists, each value as the database stores it."""

    impl = Text
    cache_ok = True

    def __init__(self, types: tuple[tuple[str, TypeEngine[Any]], ...]) -> None:
        """Keep *types*, the names of the values and their types, in the order of a list."""
        super().__init__()
        self.types = types

    def process_bind_param(self, value: Sequence[Values] | None, dialect: Dialect) -> str | None:
        """Return the rows as JSON text."""
        processors = [
            (name, type_.dialect_impl(dialect).bind_processor(dialect))
            for name, type_ in self.types
        ]
        return json.dumps(
            [[p(row[n]) if p else row[n] for n, p in processors] for row in value or ()]
        )


class RowParameters:
    """The parameters of a statement that writes rows by key: one row, or any number of listed rows.

    ``rows["key_0"]`` is the first column of the row's key, and ``rows["new_0"]`` a new value.
    """

    def __init__(
        self, dialect: Dialect, types: Mapping[str, TypeEngine[Any]], *, is_listed: bool
    ) -> None:
        """Prepare parameters with these names and *types*."""
        self.types = types
        self.listed: FromClause | None = None
        if is_listed:
            self.listed = _arrays(types) if dialect.name == "postgresql" else _documents(types)

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Return the value of the row at hand."""
        if self.listed is None:
            return bindparam(name, type_=self.types[name])
        return self.listed.c[name]


def _arrays(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    lists = (bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items())
    typed = [column(name, type_) for name, type_ in types.items()]
    rows = func.unnest(*lists).table_valued(*typed, with_ordinality="number")
    return rows.render_derived(name="listed")


def _documents(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    rows = bindparam("rows", type_=JSONRows(tuple(types.items())))
    row = func.json_each(rows).table_valued("value").c.value
    values = [
        func.json_extract(row, literal_column(f"'$[{i}]'"), type_=type_).label(name)
        for i, (name, type_) in enumerate(types.items())
    ]
    return select(*values).subquery("listed")


@dataclass
class WriteByKey:
    """A statement that writes rows by key: all at once if possible, and counted key by key.

    PostgreSQL returns the number of each listed row that was written. SQLite can only return the
    key that a row has afterwards.

    Attributes:
        dialect: The driver's dialect.
        table: The table.
        act: What the statement does, for an error's text.
        key: What identifies a row.
        values: The types of the new values, by the names of their parameters.
        build: Returns the statement without a condition, for its parameters.
        changes_key: Whether it writes a column of the key.
    """

    dialect: Dialect
    table: str
    act: str
    key: Sequence[ColumnElement[Any]]
    values: Mapping[str, TypeEngine[Any]]
    build: Callable[[RowParameters], Update | Delete]
    changes_key: bool = False

    def run(self, cursor: Cursor, rows: Sequence[Values], others: Values) -> None:
        """Write *rows*: mappings with a key and new values; *others* are the other parameters.

        Raises:
            RowCountError: a key wrote no row, or several. A sum would not show it: none and two
                make the two that were meant.
        """
        if self.is_listed and not _has_nul(rows):
            lists = {name: [row[name] for row in rows] for name in self._types}
            written = Counter(cursor.rows(self.statement, {**others, **lists, "rows": rows}))
            counts = [written[self._returned(number, row)] for number, row in enumerate(rows, 1)]
        else:
            counts = [cursor.run(self._single, {**others, **row}) for row in rows]
        for count in counts:
            cursor.expect(self.statement, count, 1)

    @cached_property
    def statement(self) -> CompiledStatement:
        """Return the statement for any number of rows, or for one if these can't be listed."""
        return self._compile(is_listed=self.is_listed)

    @cached_property
    def _single(self) -> CompiledStatement:
        return self._compile(is_listed=False)

    @cached_property
    def is_listed(self) -> bool:
        """Return whether the statement writes any number of rows."""
        types = tuple(map(unwrapped, self._types.values()))
        if self.dialect.name == "postgresql":
            # A list of lists would be taken apart, and a list must have a type.
            return not any(isinstance(type_, (ARRAY, NullType)) for type_ in types)
        # JSON has no bytes.
        return not (self.changes_key or any(isinstance(type_, LargeBinary) for type_ in types))

    @cached_property
    def _types(self) -> dict[str, TypeEngine[Any]]:
        types = (Text() if isinstance(each.type, Address) else each.type for each in self.key)
        return {**{f"key_{i}": type_ for i, type_ in enumerate(types)}, **self.values}

    def _returned(self, number: int, row: Values) -> tuple[Any, ...]:
        if self.dialect.name == "postgresql":
            return (number,)
        return tuple(row[f"key_{i}"] for i in range(len(self.key)))

    def _compile(self, *, is_listed: bool) -> CompiledStatement:
        rows = RowParameters(self.dialect, self._types, is_listed=is_listed)
        clause, returned = self.build(rows), list[ColumnElement[Any]]()
        if rows.listed is not None:
            numbered = self.dialect.name == "postgresql"
            returned = [rows.listed.c.number] if numbered else list(self.key)
            clause = clause.returning(*returned)
        if isinstance(clause, Delete) and rows.listed is not None and self.dialect.name == "sqlite":
            # SQLite has no DELETE with a second table.
            keys = select(*(rows[f"key_{i}"] for i in range(len(self.key))))
            mine = self.key[0] if len(self.key) == 1 else tuple_(*self.key)
            clause = clause.where(mine.in_(keys))
        else:
            clause = clause.where(self._is_key(rows))
        return CompiledStatement(
            clause, self.dialect, table=self.table, act=self.act, results=returned
        )

    def _is_key(self, rows: RowParameters) -> ColumnElement[bool]:
        pairs = ((mine, rows[f"key_{i}"]) for i, mine in enumerate(self.key))
        return and_(
            *(
                mine == (cast(theirs, mine.type) if isinstance(mine.type, Address) else theirs)
                for mine, theirs in pairs
            )
        )


def _has_nul(rows: Sequence[Values]) -> bool:
    """Return whether a text has a NUL, at which SQLite would end a text of JSON."""
    return any(isinstance(each, str) and "\0" in each for row in rows for each in row.values())
