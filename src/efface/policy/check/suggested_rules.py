"""Write rules that fit a table, the gentlest first, as lines to paste into the models.

The first line must not cost another user a row. So it deletes rows only if the model says that
they go with their user, and nothing else refers to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint, Table

from efface.catalog.metadata import UNMANAGED, VIEW
from efface.policy.actions import Delete, Redact
from efface.policy.check.deleted_targets import deletes
from efface.policy.column_types import column_names
from efface.policy.model_references import goes_along, is_nullable, is_target, writers_first
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import Via, named, shown

OR = "# or: "
"""What stands before a line that is another choice."""


@dataclass(frozen=True)
class Choice:
    """Rules that a table can have.

    Attributes:
        action: What happens to the rows; None if they have no personal data.
        vias: Each relationship to a user.
        unlinked: The columns of these that are written over with NULL, each with its relationship.
        reason: Why there is no personal data.
    """

    action: Redact | Delete | None
    vias: tuple[Via, ...] = ()
    unlinked: tuple[tuple[str, Via], ...] = ()
    reason: str = "..."

    def rules(self) -> Iterator[str]:
        """Yield the rules of the table as Python code."""
        if self.action is None:
            yield f'no_personal_data(reason="{self.reason}")'
        for via in self.vias:
            yield f"on_close({self.action!r}, via={shown(via)})"

    def column_rules(self) -> Iterator[tuple[str, str]]:
        """Yield each column that needs a rule of its own, and the rule as Python code."""
        for column, via in self.unlinked:
            whose = f", via={shown(via)}" if len(self.vias) > 1 else ""
            yield column, f"personal(Unlink(){whose})"


def suggest_table_rule(policy: Policy, table_rules: TableRules) -> str:
    """Return lines to paste for a table: the gentlest choice, and the others as comments."""
    first, *others = table_choices(policy.tables, table_rules.table)
    lines = [f"__table_args__ = ({', '.join(first.rules())},)"]
    lines += [f"{rule}    # on {column}" for column, rule in first.column_rules()]
    lines += [f"{OR}__table_args__ = ({', '.join(each.rules())},)" for each in others]
    return "\n".join(lines)


def table_choices(tables: Mapping[str, TableRules], table: Table) -> tuple[Choice, ...]:
    """Return what the rows of *table* may need, the gentlest first.

    Args:
        tables: The rules of every table so far, by its full name.
        table: The table.
    """
    return _References(tables).choices(table)


class _References:
    """The foreign keys between the tables of a policy."""

    def __init__(self, tables: Mapping[str, TableRules]) -> None:
        self.tables = tables
        self.users = [table_rules.table for table_rules in tables.values() if table_rules.subjects]
        self.near = _distances(tables, self.users, all_keys=False)
        self._found: dict[Table, Sequence[Via]] = {}

    def choices(self, table: Table) -> tuple[Choice, ...]:
        """Return what the rows of *table* may need, the gentlest first."""
        direct = self.direct(table)
        vias = tuple(map(_via, direct))
        unlinked = tuple(
            (name, via)
            for via, key in zip(vias, direct, strict=True)
            if is_nullable(key)
            for name in column_names(key)
        )
        nobodys = Choice(None)
        kept = (Choice(Redact(), vias, unlinked),) if direct else ()
        if table.info.get(VIEW) or table.info.get(UNMANAGED):
            return Choice(None, reason="a view"), *(() if table.info.get(VIEW) else kept)
        if len(direct) == 1:
            goes = goes_along(direct[0]) and not is_target(self.tables, table)
            gone = (Choice(Delete(), vias),)
            return (*gone, *kept, nobodys) if goes else (*kept, *gone, nobodys)
        if direct:
            return *kept, nobodys
        onward, goes = self.onward(table)
        if onward is not None:
            kept, gone = ((Choice(action, (onward,)),) for action in (Redact(), Delete()))
            return (*gone, nobodys) if goes else (*kept, *gone, nobodys)
        # The rows of what is only referred to, as the pages of a site, are not the user's.
        return nobodys, *(Choice(Redact(), (via,)) for via in self.loose(table))

    def direct(self, table: Table) -> list[ForeignKeyConstraint]:
        """Return the foreign keys to the users' table, the writer's first.

        Before there is a users' table, any foreign key may turn out to refer to it.
        """
        keys = writers_first(table.foreign_key_constraints)
        return [key for key in keys if key.referred_table in self.users] if self.users else keys[:1]

    def onward(self, table: Table) -> tuple[Via | None, bool]:
        """Return the path through another table, and whether the policy deletes its rows.

        It follows rows that are parts of others: what only mentions another row outlasts it.
        """
        for key in _nearest(table, self.near):
            parent = self.tables[key.referred_table.fullname]
            first = self._writer(parent)
            via = self._through(key, first)
            if goes_along(key) and via is not None:
                deleted = {rule.via for rule in parent.close_rules if deletes(rule)}
                return via, first[0] in deleted
        return None, False

    def loose(self, table: Table) -> list[Via]:
        """Return a path whose rows may outlast what they refer to, if there is one."""
        near = _distances(self.tables, self.users, all_keys=True)
        for key in _nearest(table, near):
            via = self._through(key, self._vias(self.tables[key.referred_table.fullname]))
            if via is not None:
                return [via]
        return []

    def _vias(self, table_rules: TableRules) -> Sequence[Via]:
        """Return the relationships of a table, or those that it would get."""
        if table_rules.close_rules:
            return [rule.via for rule in table_rules.close_rules]
        table = table_rules.table
        if table not in self._found:
            # Tables can refer to each other in a circle, and no path goes around in one.
            self._found[table] = ()
            self._found[table] = self.choices(table)[0].vias or self.loose(table)
        return self._found[table]

    def _writer(self, table_rules: TableRules) -> list[Via]:
        """Return the relationship to the user who wrote a row, if rows go along with that user."""
        vias = {_first_part(via): via for via in self._vias(table_rules)}
        keys = writers_first(table_rules.table.foreign_key_constraints)
        written = [key for key in keys if _via(key) in vias][:1]
        return [vias[_via(key)] for key in written if goes_along(key)]

    def _through(self, key: ForeignKeyConstraint, onward: Sequence[Via]) -> Via | None:
        """Return the path by *key*, and by the first of the relationships that go on there."""
        first = _via(key)
        every = self._vias(self.tables[key.referred_table.fullname])
        # The second part of "a.b" is only necessary if there are several.
        if len(every) == 1:
            return first if onward else None
        return f"{first}.{named(onward[0])}" if onward and isinstance(first, str) else None


def _nearest(table: Table, near: Mapping[Table, int]) -> list[ForeignKeyConstraint]:
    """Return the foreign keys of *table* to tables that are nearer to the users, nearest first."""
    here = near.get(table, len(near))
    keys = [key for key in _sorted(table) if near.get(key.referred_table, here) < here]
    return sorted(keys, key=lambda key: near[key.referred_table])


def _sorted(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=column_names)


def _first_part(via: Via) -> Via:
    return via.partition(".")[0] if isinstance(via, str) else via


def _via(key: ForeignKeyConstraint) -> Via:
    names = column_names(key)
    return names[0] if len(names) == 1 else names


def _distances(
    tables: Mapping[str, TableRules], users: Sequence[Table], *, all_keys: bool
) -> dict[Table, int]:
    """Return the number of foreign keys between each table and the users' table.

    Without *all_keys*, each of them is one by which rows go along with what they refer to.
    """
    near = dict.fromkeys(users, 0)
    while near and (
        further := {
            table_rules.table
            for table_rules in tables.values()
            if table_rules.table not in near
            # A table without personal data cannot be on a path: none of its rows is a user's.
            and not table_rules.no_personal_data
            and any(
                key.referred_table in near and (all_keys or goes_along(key))
                for key in table_rules.table.foreign_key_constraints
            )
        }
    ):
        near |= dict.fromkeys(further, max(near.values()) + 1)
    return near
