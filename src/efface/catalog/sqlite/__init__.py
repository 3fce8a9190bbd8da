"""SQLite's own description as relations: a few queries over its pragma functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import Any, cast

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from efface.catalog.relation import (
    Action,
    Check,
    Column,
    ForeignKey,
    Index,
    Kind,
    Name,
    Part,
    Relation,
    Trigger,
)
from efface.catalog.sqlite import queries
from efface.catalog.sqlite.ddl import TableText, index_text, table_text, trigger_text
from efface.catalog.tokens import names_in
from efface.catalog.types import length_of

ROWIDS = ("rowid", "_rowid_", "oid")
_HIDDEN, _GENERATED = 1, (2, 3)
_TABLE_LIST = (3, 37)
Rows = Mapping[str, list[Row[Any]]]


def read(connection: Connection, schemas: Collection[str | None]) -> tuple[Relation, ...]:
    """Return the relations of *schemas*; a name without a schema is found in temp and main."""
    is_enforced = bool(connection.exec_driver_sql(queries.ENFORCED).scalar())
    found: dict[Name, Relation] = {}
    late: list[Row[Any]] = []
    for schema in sorted(schemas, key=str):
        for database in ("temp", "main") if schema is None else (schema,):
            reading = _Database(connection, database, schema, is_enforced=is_enforced)
            for relation in reading.relations():
                # What temp has hides what main has.
                found.setdefault(relation.name, relation)
            late += reading.triggers_elsewhere() if database == "temp" else ()
    for row in late:
        name = next((n for n in found if n.name.casefold() == row.tbl_name.casefold()), None)
        if name is not None:
            triggers = (*found[name].triggers, _trigger(row))
            found[name] = replace(found[name], triggers=triggers)
    return tuple(sorted(found.values(), key=lambda relation: str(relation.name)))


class _Database:
    """One of the databases of a connection: main, temp or an attached one."""

    def __init__(
        self, connection: Connection, database: str, schema: str | None, *, is_enforced: bool
    ) -> None:
        self._connection, self._database, self._schema = connection, database, schema
        self._is_enforced = is_enforced
        self._objects = self._rows(queries.OBJECTS)
        self._tables = {row.name: row for row in self._objects if row.type in ("table", "view")}
        self._folded = {name.casefold(): name for name in self._tables}
        self._texts = {row.name: row.sql for row in self._objects if row.type == "index"}
        self._triggers: dict[str, list[Trigger]] = defaultdict(list)
        for row in self._objects:
            if row.type == "trigger":
                self._triggers[row.tbl_name.casefold()].append(_trigger(row))

    def relations(self) -> Iterable[Relation]:
        if not self._tables:
            return
        columns = self._columns()
        keys = _by_relation(self._rows(queries.FOREIGN_KEYS))
        indexes = _by_relation(self._rows(queries.INDEXES))
        shadows = self._shadows()
        self._known = {name: _Table(name, TableText(), rows, []) for name, rows in columns.items()}
        for name, row in sorted(self._tables.items()):
            if not name.startswith("sqlite_"):
                kind = Kind.SHADOW if name in shadows else _kind(row)
                text = table_text(row.sql) if kind in (Kind.TABLE, Kind.SHADOW) else TableText()
                table = _Table(name, text, columns.get(name, []), indexes.get(name, []))
                yield self._relation(kind, table, keys.get(name, []))

    def triggers_elsewhere(self) -> Iterable[Row[Any]]:
        """Return the temporary triggers on tables that are not temporary."""
        return [
            row
            for row in self._objects
            if row.type == "trigger" and row.tbl_name.casefold() not in self._folded
        ]

    def _rows(self, query: str, only: str = "") -> list[Row[Any]]:
        # Names of databases cannot be bound where they qualify another name.
        literal = "'" + self._database.replace("'", "''") + "'"
        sql = query.format(database=queries.quoted(self._database), schema=literal, only=only)
        return list(self._connection.exec_driver_sql(sql).all())

    def _columns(self) -> Rows:
        found = self._rows(queries.COLUMNS)
        others = [row.name for row in self._tables.values() if _kind(row) is not Kind.TABLE]
        try:
            found += self._rows(queries.COLUMNS_OF_OTHERS) if others else []
        except DBAPIError:
            for name in others:
                found += self._columns_of(name)
        return _by_relation(found)

    def _columns_of(self, name: str) -> list[Row[Any]]:
        literal = "'" + name.replace("'", "''") + "'"
        try:
            return self._rows(queries.COLUMNS_OF_OTHERS, f"AND m.name = {literal}")
        except DBAPIError:
            return []

    def _shadows(self) -> set[str]:
        version = self._connection.dialect.server_version_info or ()
        if version < _TABLE_LIST or not any(
            _kind(row) is Kind.VIRTUAL for row in self._tables.values()
        ):
            return set()
        return {row.name for row in self._rows(queries.SHADOWS)}

    def _relation(self, kind: Kind, table: _Table, keys: list[Row[Any]]) -> Relation:
        is_temporary = self._database == "temp"
        return Relation(
            Name(self._schema, table.name),
            kind,
            self._database,
            tuple(table.column(row) for row in table.rows if row.hidden != _HIDDEN),
            tuple(table.indexes(self._texts)),
            tuple(self._foreign_keys(table, keys)),
            tuple(table.checks()),
            triggers=tuple(self._triggers.get(table.name.casefold(), ())),
            is_temporary=is_temporary,
            rowid=table.rowid() if kind in (Kind.TABLE, Kind.SHADOW) else None,
            is_without_rowid=table.text.is_without_rowid,
        )

    def _foreign_keys(self, table: _Table, rows: list[Row[Any]]) -> Iterable[ForeignKey]:
        numbered = [list(group) for _, group in groupby(rows, key=lambda row: row.id)]
        waits = table.text.references
        if len(waits) != len(numbered):
            waits = [(False, False)] * len(numbered)
        for group, (deferrable, deferred) in zip(numbered, waits, strict=True):
            target = self._folded.get(group[0].target.casefold(), group[0].target)
            columns = tuple(table.spelled(row.column) for row in group)
            action = cast("Action", group[0].on_delete)
            # Without names it refers to the primary key.
            named = all(row.target_column is not None for row in group)
            known = self._known.get(target, _Table(target, TableText(), [], []))
            yield ForeignKey(
                None,
                columns,
                Name(self._schema, target),
                tuple(known.spelled(row.target_column) for row in group) if named else known.key,
                action,
                cast("Action", group[0].on_update),
                columns if action in ("SET NULL", "SET DEFAULT") else (),
                deferrable=deferrable,
                initially_deferred=deferred,
                is_checked=self._is_enforced,
                is_acting=self._is_enforced,
            )


@dataclass
class _Table:
    """A table's text and the rows of the pragmas about it."""

    name: str
    text: TableText
    rows: list[Row[Any]]
    index_rows: list[Row[Any]]
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [row.name for row in self.rows]
        self._folded = {name.casefold(): name for name in self.names}
        self._collations = {name.casefold(): c for name, c in self.text.collations.items()}
        self._generated = {name.casefold(): text for name, text in self.text.generated.items()}

    def spelled(self, column: str) -> str:
        """Return the column's name as the table spells it; references need not."""
        return self._folded.get(column.casefold(), column)

    @property
    def key(self) -> tuple[str, ...]:
        """Return the columns of the primary key, in its order."""
        return tuple(row.name for row in sorted(self.rows, key=lambda row: row.pk) if row.pk)

    @cached_property
    def rowid_column(self) -> str | None:
        """Return the column that is an alias of the rowid: INTEGER PRIMARY KEY."""
        key = [row for row in self.rows if row.pk]
        has_index = any(row.origin == "pk" for row in self.index_rows)
        if [row.type.upper() for row in key] != ["INTEGER"] or has_index:
            return None
        return None if self.text.is_without_rowid else str(key[0].name)

    def rowid(self) -> str | None:
        if self.text.is_without_rowid:
            return None
        own = (self.rowid_column or "").casefold()
        hidden = self._folded.keys() - {own}
        return next((name for name in ROWIDS if name not in hidden), None)

    def column(self, row: Any) -> Column:
        is_rowid = row.name == self.rowid_column
        collation = self._collations.get(row.name.casefold())
        is_generated = row.hidden in _GENERATED
        return Column(
            row.name,
            row.type,
            row.type,
            None,
            length_of(row.type),
            not row.not_null and not is_rowid,
            None if is_generated else row.default,
            self._generated.get(row.name.casefold(), "") if is_generated else None,
            "BY DEFAULT" if is_rowid else None,
            *_compared(collation),
        )

    def indexes(self, texts: Mapping[str, str]) -> Iterable[Index]:
        if self.rowid_column is not None:
            part = Part(self.rowid_column)
            yield Index(None, (part,), is_unique=True, is_primary=True)
        found = [
            _index(name, list(rows), texts.get(name))
            for name, rows in groupby(self.index_rows, key=lambda row: row.name)
        ]
        yield from sorted(found, key=lambda index: (not index.is_primary, str(index.name)))

    def checks(self) -> Iterable[Check]:
        for name, text in self.text.checks:
            yield Check(name, text, names_in(text, self.names, brackets=True))


def _index(name: str, rows: list[Row[Any]], sql: str | None) -> Index:
    texts, condition = index_text(sql) if sql else ([], None)
    parts = []
    for number, row in enumerate(rows):
        # An expression has no column, and the rowid is none that the table declares.
        known = texts[number] if number < len(texts) else None
        text = None if row.column is not None else known or ROWIDS[0]
        parts.append(Part(row.column, text, *_compared(row.collation)))
    # SQLite itself names the indexes of constraints.
    return Index(
        None if name.startswith("sqlite_autoindex_") else name,
        tuple(parts),
        bool(rows[0].is_unique),
        rows[0].origin == "pk",
        condition if rows[0].partial else None,
    )


def _compared(collation: str | None) -> tuple[str | None, bool]:
    is_binary = collation is None or collation.upper() == "BINARY"
    return (None if is_binary else collation), is_binary


def _by_relation(rows: Iterable[Row[Any]]) -> Rows:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.relation].append(row)
    return found


def _kind(row: Row[Any]) -> Kind:
    if row.type == "view":
        return Kind.VIEW
    words = row.sql.split(maxsplit=2)[:2]
    return Kind.VIRTUAL if [word.upper() for word in words][1:] == ["VIRTUAL"] else Kind.TABLE


def _trigger(row: Row[Any]) -> Trigger:
    timing, event, columns = trigger_text(row.sql)
    return Trigger(row.name, timing, (event,), "ROW", columns)
