"""PostgreSQL's catalog as relations: eight queries for any number of tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, TextClause

from efface.catalog.postgresql import queries
from efface.catalog.postgresql.types import Types
from efface.catalog.relation import (
    Action,
    Check,
    Column,
    ForeignKey,
    Identity,
    Index,
    Kind,
    Level,
    Name,
    Part,
    Relation,
    Timing,
    Trigger,
)
from efface.catalog.tokens import replaced
from efface.catalog.types import length_of

KINDS = {
    "r": Kind.TABLE,
    "p": Kind.PARTITIONED,
    "v": Kind.VIEW,
    "m": Kind.MATERIALIZED_VIEW,
    "f": Kind.FOREIGN_TABLE,
}
ACTIONS: Mapping[str, Action] = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
IDENTITIES: Mapping[str, Identity] = {"a": "ALWAYS", "d": "BY DEFAULT"}
# The bits of pg_trigger.tgtype.
_ROW, _BEFORE, _INSTEAD = 1, 2, 64
_EVENTS = {4: "INSERT", 16: "UPDATE", 8: "DELETE", 32: "TRUNCATE"}
_RULE_EVENTS = {"1": "SELECT", "2": "UPDATE", "3": "INSERT", "4": "DELETE"}
Rows = Mapping[int, list[Row[Any]]]


def read(connection: Connection, schemas: Collection[str | None]) -> tuple[Relation, ...]:
    """Return the relations of *schemas*, and those elsewhere that refer to them."""
    bound = {"schemas": [each for each in schemas if each is not None], "visible": None in schemas}
    found = connection.execute(queries.RELATIONS, bound).all()
    oids = [row.oid for row in found]

    def rows(query: TextClause, numbers: Iterable[int] = oids) -> list[Row[Any]]:
        return list(connection.execute(query, {"oids": sorted(numbers)}).all())

    def name(row: Any, relation: str) -> Name:
        hidden = not (row.is_visible and None in schemas)
        return Name(row.namespace if hidden else None, relation)

    columns, indexes = rows(queries.COLUMNS), rows(queries.INDEXES)
    collations = {row.collation for row in columns}.union(*(row.collations for row in indexes))
    types = Types(
        rows(queries.TYPES, {row.type_oid for row in columns}),
        rows(queries.COLLATIONS, collations - {0}),
    )
    reading = _Reading(
        name,
        types,
        _by_relation(columns),
        _by_relation(indexes),
        _by_relation(rows(queries.CONSTRAINTS)),
        _by_relation(rows(queries.TRIGGERS)),
    )
    names = {row.oid: name(row, row.name) for row in found}
    for row in rows(queries.INHERITANCE):
        reading.parents[row.child].append(name(row, row.name))
        reading.children[row.parent].append(names[row.child])
    return tuple(reading.relation(row) for row in found)


def namesakes(connection: Connection, names: Collection[str]) -> tuple[Name, ...]:
    """Return tables with these *names* that the search path does not find, one for each."""
    rows = connection.execute(queries.NAMESAKES, {"names": sorted(names)})
    return tuple(Name(row.namespace, row.name) for row in rows)


def _by_relation(rows: Iterable[Row[Any]]) -> Rows:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.oid].append(row)
    return found


@dataclass(frozen=True)
class _Reading:
    """The rows of the queries, by the oid of their relation."""

    name: Callable[[Any, str], Name]
    types: Types
    columns: Rows
    indexes: Rows
    constraints: Rows
    triggers: Rows
    parents: dict[int, list[Name]] = field(default_factory=lambda: defaultdict(list))
    children: dict[int, list[Name]] = field(default_factory=lambda: defaultdict(list))

    def relation(self, row: Any) -> Relation:
        """Return the relation of a row of pg_class."""
        oid = row.oid
        columns = self.columns.get(oid, ())
        numbered = {each.number: each.name for each in columns}
        constraints = self.constraints.get(oid, ())
        return Relation(
            self.name(row, row.name),
            KINDS[row.kind],
            row.namespace,
            tuple(map(self._column, columns)),
            tuple(self._index(each, numbered) for each in self.indexes.get(oid, ())),
            tuple(self._foreign_key(k, numbered) for k in constraints if k.kind == "f"),
            (
                *(_check(k, numbered) for k in constraints if k.kind == "c"),
                *(check for each in columns for check in self._domain_checks(each)),
            ),
            tuple(_check(k, numbered) for k in constraints if k.kind not in "cf"),
            tuple(_trigger(each, numbered) for each in self.triggers.get(oid, ())),
            tuple(self.parents.get(oid, ())),
            tuple(sorted(self.children.get(oid, ()), key=str)),
            row.is_partition,
            row.partitioned_by,
            row.row_security,
            row.row_security_active,
            row.is_temporary,
            row.extension,
        )

    def _column(self, row: Any) -> Column:
        base = self.types.base(row.type_oid, row.type)
        collation, is_deterministic = self.types.collation(row.collation)
        default = self.types.default(row.type_oid) if row.expression is None else row.expression
        return Column(
            row.name,
            row.type,
            base,
            self.types.element(row.type_oid, base),
            length_of(base),
            not (row.not_null or self.types.is_not_null(row.type_oid)),
            None if row.is_generated else default,
            row.expression if row.is_generated else None,
            IDENTITIES.get(row.identity),
            collation,
            is_deterministic,
            self.types.labels(row.type_oid),
        )

    def _index(self, row: Any, numbered: Mapping[int, str]) -> Index:
        expressions = row.expressions or [None] * row.parts
        parts = []
        for number, expression, oid in zip(row.numbers, expressions, row.collations, strict=False):
            column = numbered.get(number)
            text = None if column else expression
            parts.append(Part(column, text, *self.types.collation(oid)))
        return Index(
            row.name,
            tuple(parts),
            row.is_unique,
            row.is_primary,
            row.condition,
            not row.nulls_equal,
            row.deferrable,
            row.deferred,
            row.is_valid,
            row.method,
        )

    def _foreign_key(self, row: Any, numbered: Mapping[int, str]) -> ForeignKey:
        columns = tuple(numbered[number] for number in row.numbers)
        action = ACTIONS[row.on_delete]
        writes = columns if action in ("SET NULL", "SET DEFAULT") else ()
        # PostgreSQL writes the list as JSON here: [2, 3].
        numbers = (int(each) for each in (row.set_numbers or "[]").strip("[]").split(",") if each)
        return ForeignKey(
            row.name,
            columns,
            self.name(row, row.target),
            tuple(row.target_columns),
            action,
            ACTIONS[row.on_update],
            tuple(numbered[number] for number in numbers) or writes,
            row.match == "f",
            row.deferrable,
            row.deferred,
            row.is_enforced and row.is_checked,
            row.is_enforced and row.is_acting,
        )

    def _domain_checks(self, row: Any) -> Iterable[Check]:
        for name, text in self.types.checks(row.type_oid):
            quoted = '"' + row.name.replace('"', '""') + '"'
            yield Check(name, replaced(text, "VALUE", quoted), (row.name,))


def _check(row: Any, numbered: Mapping[int, str]) -> Check:
    # Zero is an expression in an exclusion constraint, or the whole row.
    columns = [numbered[number] for number in sorted(row.numbers or ()) if number in numbered]
    return Check(row.name, row.definition, tuple(columns))


def _trigger(row: Any, numbered: Mapping[int, str]) -> Trigger:
    if row.event is not None:
        timing: Timing = "INSTEAD OF" if row.is_instead else "AFTER"
        return Trigger(row.name, timing, (_RULE_EVENTS[row.event],), "RULE", (), row.is_enabled)
    level: Level = "ROW" if row.bits & _ROW else "STATEMENT"
    timing = "BEFORE" if row.bits & _BEFORE else "AFTER"
    return Trigger(
        row.name,
        "INSTEAD OF" if row.bits & _INSTEAD else timing,
        tuple(event for bit, event in _EVENTS.items() if row.bits & bit),
        level,
        tuple(numbered[number] for number in row.numbers if number in numbered),
        row.is_enabled,
        row.is_deferred,
    )
