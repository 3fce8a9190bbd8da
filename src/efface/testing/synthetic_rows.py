"""Decide which rows `populate` inserts, and with which values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
    func,
    select,
)

from efface.errors import FixtureError
from efface.graph.graph import build
from efface.graph.hops import GenericType
from efface.graph.paths import Relationship
from efface.plan.mentions import SHORTEST
from efface.plan.path_sql import bare
from efface.policy.column_types import by_name, is_text, unwrapped
from efface.policy.policy import PersonalColumn, Policy, TableRules
from efface.testing.check_values import Checks
from efface.testing.synthetic_names import SyntheticNames
from efface.testing.synthetic_values import NoValueError, value_for

FIRST = 9000
"""The first primary key, above those of the application's own sequences."""


@dataclass
class SyntheticRow:
    """A row to insert: ``side`` (0 or 1) is its user, ``links`` the user of each relationship."""

    table: Table
    side: int
    number: int
    links: Mapping[Relationship, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    is_begun: bool = False


class SyntheticRows:
    """The rows of two users in every table of a policy."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        sides: tuple[SyntheticNames, SyntheticNames],
        given: Mapping[str, Any],
    ) -> None:
        """Decide which rows to insert."""
        self._connection, self._policy = connection, policy
        self._sides, self._given = sides, given
        self._relationships = build(policy)[0].relationships
        self._checks = Checks()
        self._rows: dict[str, list[SyntheticRow]] = {}
        self._resolving: set[tuple[str, int, str]] = set()
        self._first = FIRST
        for table_rules in policy.tables.values():
            # Above the keys of existing rows, so that a filled database works, too.
            self._first = max(self._first, self._highest(table_rules.table) + 1)
        for table_rules in policy.tables.values():
            self._rows[table_rules.name] = list(self._rows_for(table_rules.table))
        self._name()
        self._name_generic_types()

    def of(self, table: Table) -> list[SyntheticRow]:
        """Return the rows of *table*: one of each user, then those that they share."""
        return self._rows[table.fullname]

    def own(self, table: Table, side: int) -> SyntheticRow:
        """Return the row of *table* that belongs to one user alone."""
        return self._rows[table.fullname][side]

    def names(self, side: int) -> tuple[str, ...]:
        """Return the identifiers of one user as they are in the rows."""
        found = [
            self.own(table_rules.table, side).values.get(name)
            for table_rules in self._policy.tables.values()
            for name in _identifiers(table_rules)
        ]
        texts = (value for value in found if isinstance(value, str) and len(value) >= SHORTEST)
        return tuple(dict.fromkeys(texts))

    def holds(self, place: str, word: str) -> bool:
        """Return whether *word* is in a row of the column: a CHECK constraint may exclude it."""
        table, _, column = place.rpartition(".")
        found = (row.values.get(column) for row in self._rows[table])
        return any(word in (v.decode() if isinstance(v, bytes) else str(v)) for v in found)

    def check(self) -> None:
        """Check that every column can be filled.

        Raises:
            FixtureError: columns of unknown types need a value.
        """
        unknown = [
            f"{table_rules.name}.{column.name}"
            for table_rules in self._policy.tables.values()
            for column in table_rules.table.columns
            if not self._can_fill(column)
        ]
        if unknown:
            lines = ", ".join(f'"{place}": ...' for place in unknown)
            raise FixtureError(
                "populate() does not know which values these columns accept. Nothing was inserted. "
                f"Give a value for each: populate(..., values={{{lines}}})"
            )

    def fill(self, row: SyntheticRow) -> dict[str, Any]:
        """Return the values of *row*, except for those that the database generates."""
        if row.is_begun:
            return dict(row.values)
        # Before its values are made, because a row may reference itself through other rows.
        row.is_begun = True
        table_rules = self._policy.tables[row.table.fullname]
        for column in row.table.columns:
            if _is_ours(column):
                self._value(row, table_rules, column)
        fixed = {column.name for column in row.table.columns if not self._is_free(row, column)}
        row.values.update(self._checks.fulfilled(row.table, row.values, fixed))
        return dict(row.values)

    # ------------------------------------------------------------ which rows

    def _rows_for(self, table: Table) -> list[SyntheticRow]:
        rows = [SyntheticRow(table, side, self._first + side) for side in (0, 1)]
        relationships = self._relationships.get(table.fullname, ())
        firsts = {relationship.path.hops[0].columns for relationship in relationships}
        if len(firsts) < len(relationships) or len(relationships) < 2:  # noqa: PLR2004  # a pair to share
            return rows
        if any(
            sum(bool(named & set(first)) for first in firsts) > 1
            for named in self._checks.named_together(table)
        ):
            # A constraint such as "no one is their own friend" allows no row of one user alone.
            for row in rows:
                row.links = {
                    r: row.side if r is relationships[0] else 1 - row.side for r in relationships
                }
            return rows
        # A unique constraint on two foreign keys may not allow a shared row.
        used = {self._signature(row) for row in rows}
        for relationship in relationships:
            shared = {each: 0 if each is relationship else 1 for each in relationships}
            row = SyntheticRow(table, 0, self._first + len(rows), shared)
            if not self._signature(row) & set().union(*used):
                used.add(self._signature(row))
                rows.append(row)
        return rows

    def _signature(self, row: SyntheticRow) -> frozenset[Any]:
        """Return the values of *row* in unique constraints that consist of foreign keys."""
        unique = [c for c in row.table.constraints if isinstance(c, UniqueConstraint)]
        keys = [[c.name for c in each.columns] for each in (row.table.primary_key, *unique)]
        keys += [[c.name for c in index.columns] for index in row.table.indexes if index.unique]
        sides = {
            column.name: self._side_of(row, key)
            for key in row.table.foreign_key_constraints
            for column in key.columns
        }
        return frozenset(
            (tuple(names), tuple(sides[name] for name in names))
            for names in keys
            if names and set(names) <= sides.keys()
        )

    def _side_of(self, row: SyntheticRow, key: ForeignKeyConstraint) -> int:
        columns = list(key.columns)
        for relationship, side in row.links.items():
            if list(relationship.path.hops[0].columns) == columns:
                return side
        # A foreign key without a rule of its own belongs to the user of its column's rule.
        decisions = _personal_columns(self._policy.tables[row.table.fullname])
        rules = [rule for column in columns for rule in decisions.get(column.name, ())]
        return self._whose(row, rules)

    def _highest(self, table: Table) -> int:
        here = bare(table)
        keys = [here.c[c.name] for c in table.primary_key if isinstance(unwrapped(c.type), Integer)]
        if not keys:
            return 0
        found = self._connection.execute(select(*(func.max(key) for key in keys))).one()
        return max((value or 0) for value in found)

    # ------------------------------------------------------------ what is in them

    def _name(self) -> None:
        """Make the users' identifiers before any text mentions them."""
        for table_rules in self._policy.tables.values():
            for name in _identifiers(table_rules):
                column = by_name(table_rules.table)[name]
                if not column.foreign_keys and not self._is_given(column):
                    for words in self._sides:
                        words.name(column)

    def _name_generic_types(self) -> None:
        """Make the first row of a table of types the type of users, if it has none."""
        for relationship in (each for found in self._relationships.values() for each in found):
            generic_type = relationship.path.hops[0].generic_type
            if generic_type is not None and generic_type.refers_to is not None:
                here = bare(generic_type.refers_to.table)
                named = dict(
                    zip((c.name for c in generic_type.columns), generic_type.names[0], strict=True)
                )
                is_it = (here.c[name] == value for name, value in named.items())
                if self._connection.execute(select(here).where(*is_it)).first() is None:
                    self.own(generic_type.refers_to.table, 0).values.update(named)

    def _can_fill(self, column: Column[Any]) -> bool:
        if not _is_ours(column) or self._is_given(column) or column.foreign_keys:
            return True
        try:
            value_for(column, 1, "text")
        except NoValueError:
            # NULL, or the default of the database, will do.
            return column.nullable or column.server_default is not None
        return True

    def _is_given(self, column: Column[Any]) -> bool:
        return f"{column.table.fullname}.{column.name}" in self._given

    def _is_free(self, row: SyntheticRow, column: Column[Any]) -> bool:
        """Return whether *column* may have another value."""
        refers = column.foreign_keys or self._match(row, column) or self._generic_type(row, column)
        fixed = refers or column.primary_key or self._is_given(column) or not _is_ours(column)
        return not fixed

    def _value(self, row: SyntheticRow, table_rules: TableRules, column: Column[Any]) -> Any:
        if column.name in row.values or not _is_ours(column):
            return row.values.get(column.name)
        row.values[column.name] = found = self._made_value(row, table_rules, column)
        return found

    def _made_value(self, row: SyntheticRow, table_rules: TableRules, column: Column[Any]) -> Any:
        place = f"{table_rules.name}.{column.name}"
        if place in self._given:
            given = self._given[place]
            return given(row.number) if callable(given) else given
        refers, found = self._reference(row, column)
        if refers:
            return found
        if table_rules.subjects and column.name == table_rules.subjects[0].deleted_at:
            return None
        try:
            return value_for(
                column, self._number(row, column), self._text(row, table_rules, column)
            )
        except NoValueError:
            return None

    def _reference(self, row: SyntheticRow, column: Column[Any]) -> tuple[bool, Any]:
        """Return whether *column* references another row, and the value with which it does."""
        generic_type = self._generic_type(row, column)
        if generic_type is not None:
            return True, self._generic_type_value(row, generic_type)
        for key in sorted(row.table.foreign_key_constraints, key=lambda key: len(key.columns)):
            if column in key.columns.values():
                target = next(e.column for e in key.elements if e.parent is column)
                return True, self._referred(row, self._side_of(row, key), target)
        match = self._match(row, column)
        if match is not None:
            relationship, target = match
            found = self._referred(row, row.links.get(relationship, row.side), target)
            # A generic foreign key may store keys of any type as text.
            is_text_of_key = (
                relationship.path.hops[0].generic_type and is_text(column) and found is not None
            )
            return True, str(found) if is_text_of_key else found
        return False, None

    def _referred(self, row: SyntheticRow, side: int, target: Column[Any]) -> Any:
        """Return the value with which a column references one user's row."""
        other = row if target.table is row.table and side == row.side else None
        other = other or self.own(target.table, side)
        asked = (target.table.fullname, side, target.name)
        if asked in self._resolving:
            raise FixtureError(
                f"{target.table.fullname}.{target.name} refers to itself through other tables. "
                f'Give it a value: populate(..., values={{"{target.table.fullname}.{target.name}": '
                "...})"
            )
        # Fill the whole row, so that its constraints are fulfilled before it is referenced.
        self.fill(other)
        self._resolving.add(asked)
        try:
            return self._value(other, self._policy.tables[target.table.fullname], target)
        finally:
            self._resolving.discard(asked)

    def _match(
        self, row: SyntheticRow, column: Column[Any]
    ) -> tuple[Relationship, Column[Any]] | None:
        for relationship in self._relationships.get(row.table.fullname, ()):
            hop = relationship.path.hops[0]
            if (hop.by_value or hop.generic_type) and column in hop.columns:
                return relationship, hop.target_columns[hop.columns.index(column)]
        return None

    def _generic_type(self, row: SyntheticRow, column: Column[Any]) -> GenericType | None:
        kinds = (
            relationship.path.hops[0].generic_type
            for relationship in self._relationships.get(row.table.fullname, ())
        )
        return next(
            (
                generic_type
                for generic_type in kinds
                if generic_type and generic_type.column is column
            ),
            None,
        )

    def _generic_type_value(self, row: SyntheticRow, generic_type: GenericType) -> Any:
        """Return the type of users in a generic foreign key: a text, or the key of a type."""
        if generic_type.refers_to is None:
            return generic_type.names[0][0]
        kinds = generic_type.refers_to.table
        here = bare(kinds)
        named = zip(generic_type.columns, generic_type.names[0], strict=True)
        query = select(here.c[generic_type.refers_to.name]).where(
            *(here.c[c.name] == n for c, n in named)
        )
        known = self._connection.execute(query).scalar()
        return self._referred(row, 0, generic_type.refers_to) if known is None else known

    def _number(self, row: SyntheticRow, column: Column[Any]) -> int:
        is_key = column.primary_key or column.unique
        if is_key or not isinstance(unwrapped(column.type), SmallInteger):
            return row.number
        # A SmallInteger such as an age has to stay small; keys have to stay unique.
        return row.number % 100

    def _text(self, row: SyntheticRow, table_rules: TableRules, column: Column[Any]) -> str:
        rules = _personal_columns(table_rules).get(column.name, [])
        words = self._sides[self._whose(row, rules)]
        is_shared = bool(row.links)
        # A shared row needs a value of its own: the two users' own rows have theirs already.
        if is_shared and (column.unique or _is_in_unique(column)):
            return words.neutral_text(column)
        if column.name in _identifiers(table_rules):
            return words.name(column)
        is_plain = any(rule.action is None for rule in table_rules.columns.get(column.name, ()))
        if table_rules.no_personal_data or is_plain:
            return words.neutral_text(column)
        return words.personal_text(column, rules[0] if rules else None)

    def _whose(self, row: SyntheticRow, rules: list[PersonalColumn]) -> int:
        """Return whose value a column has: the user of the relationship that its rule names."""
        for relationship, side in row.links.items():
            if any(rule.via is not None and rule.via == relationship.rule.via for rule in rules):
                return side
        return row.side


def _identifiers(table_rules: TableRules) -> list[str]:
    named = [rule.identifiers for rule in table_rules.subjects]
    named += [rule.identifiers for rule in table_rules.close_rules]
    return [name for names in named for name in names]


def _personal_columns(table_rules: TableRules) -> Mapping[str, list[PersonalColumn]]:
    found: dict[str, list[PersonalColumn]] = defaultdict(list)
    for rule in table_rules.personal_columns():
        found[rule.name].append(rule)
    return found


def _is_in_unique(column: Column[Any]) -> bool:
    unique: list[Any] = [c for c in column.table.constraints if isinstance(c, UniqueConstraint)]
    unique += [index for index in column.table.indexes if index.unique]
    return column.primary_key or any(column in each.columns.values() for each in unique)


def _is_ours(column: Column[Any]) -> bool:
    """Return whether the row has a value of ours, not one that the database generates."""
    is_generated = column.identity is not None and column.identity.always
    return column.computed is None and not is_generated
