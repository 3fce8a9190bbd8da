"""The relations of a live database, each with the rules that a policy has for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from efface.catalog import Catalog
from efface.catalog.relation import ForeignKey, Name, Relation
from efface.policy.policy import Policy, TableRules


@dataclass(frozen=True)
class LiveTables:
    """A policy, and what the database has."""

    policy: Policy
    live: Catalog

    @cached_property
    def _rules(self) -> dict[Name, TableRules]:
        return {
            relation.name: rules
            for rules in self.policy.tables.values()
            if (relation := self.live.find_table(rules.table)) is not None
        }

    def missing(self) -> Iterator[TableRules]:
        """Yield the rules of each table that is missing, and whose rows can belong to users."""
        for rules in self.policy.tables.values():
            is_written = rules.subjects or rules.close_rules
            if is_written and self.live.find_table(rules.table) is None:
                yield rules

    @property
    def has_triggers(self) -> bool:
        """Return whether triggers or rules of the database can change what a closure writes."""
        return any(
            trigger.is_enabled for relation, _ in self.with_rules() for trigger in relation.triggers
        )

    def rules(self, relation: Relation) -> TableRules | None:
        """Return the rules for *relation*, or for the table that it is a part of."""
        every = (relation, *self.live.ancestors(relation))
        return next((self._rules[r.name] for r in every if r.name in self._rules), None)

    def with_rules(self) -> Iterator[tuple[Relation, TableRules]]:
        """Yield each relation whose rows can belong to users, and its partitions."""
        for rules in self.policy.tables.values():
            relation = self.live.find_table(rules.table)
            if relation is not None and (rules.subjects or rules.close_rules):
                yield relation, rules
                yield from ((each, rules) for each in self.live.descendants(relation))

    def spelled(self, rules: TableRules | None, columns: Sequence[str]) -> tuple[str, ...]:
        """Return *columns* as the model spells them."""
        names = [] if rules is None else [str(column.name) for column in rules.table.columns]
        known = {self.live.fold(name): name for name in names}
        return tuple(known.get(self.live.fold(name), name) for name in columns)

    def is_declared(self, rules: TableRules, key: ForeignKey, parent: TableRules) -> bool:
        """Return whether the models have a foreign key of these columns to *parent*."""
        columns = sorted(self.spelled(rules, key.columns))
        return any(
            mine.referred_table is parent.table
            and sorted(str(each.parent.name) for each in mine.elements) == columns
            for mine in rules.table.foreign_key_constraints
        )

    def is_inherited(self, relation: Relation, key: ForeignKey) -> bool:
        """Return whether the table that *relation* is a part of has the same foreign key."""
        return any(
            (key.columns, key.target, key.on_delete) == (each.columns, each.target, each.on_delete)
            for parent in self.live.ancestors(relation)
            for each in parent.foreign_keys
        )
