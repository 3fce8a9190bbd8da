"""The order in which tables are written, and the foreign keys to set to NULL before that.

Efface finds rows through their parent, so overwriting the parent's foreign key first would lose
them. Deleting the parent first would break their foreign keys. If the two contradict each other,
finding the rows takes precedence, and the foreign keys that would break are released: set to NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint, Table

from efface.catalog.metadata import ENFORCED
from efface.errors import Problem
from efface.graph.paths import Relationship
from efface.policy.actions import Clear, Delete, Redact, Revoke, Unlink
from efface.policy.column_types import by_name, column_names
from efface.policy.policy import Policy
from efface.policy.relationships import OwnedBy

Relationships = Mapping[str, tuple[Relationship, ...]]


@dataclass(frozen=True)
class Release:
    """A foreign key that is set to NULL before the rows it refers to are deleted.

    Attributes:
        table: The table that has it.
        columns: Its nullable columns.
        referred: The table that it refers to.
    """

    table: Table
    columns: tuple[str, ...]
    referred: Table


@dataclass(frozen=True)
class WriteOrder:
    """The tables with `on_close` rules, each after its predecessors.

    ``first`` has the names of the tables with credentials, and of those that must precede them.
    """

    tables: tuple[Table, ...]
    first: frozenset[str]
    releases: tuple[Release, ...]
    problems: tuple[Problem, ...]


def write_order(policy: Policy, relationships: Relationships) -> WriteOrder:
    """Return the order, what it needs, and why no order is possible."""
    found = _order(policy, relationships, nullable=True)
    # A circle is broken at any of its foreign keys, so try those that can be released.
    return _order(policy, relationships, nullable=False) if found.problems else found


def _order(policy: Policy, relationships: Relationships, *, nullable: bool) -> WriteOrder:
    predecessors = _predecessors(policy, relationships, nullable=nullable)
    tables = _deepest_first(policy, relationships, predecessors)
    first = _first(relationships, predecessors)
    releases, problems = [], []
    for key in _broken(policy, relationships, tables, first):
        columns = _releasable(policy, relationships, key)
        if columns:
            releases.append(Release(key.table, columns, key.referred_table))
        else:
            problems.append(_circle(key))
    return WriteOrder(tables, first, tuple(releases), tuple(problems))


def _predecessors(
    policy: Policy, relationships: Relationships, *, nullable: bool
) -> dict[str, set[str]]:
    """Return for each table those that must be written before it.

    Args:
        policy: The policy.
        relationships: The relationships of each table.
        nullable: Whether a foreign key counts that can be set to NULL before.
    """
    predecessors: dict[str, set[str]] = {name: set() for name in relationships}
    through = {
        name: {hop.target.fullname for relationship in found for hop in relationship.path.hops}
        for name, found in relationships.items()
    }
    for name in relationships:
        keys = policy.tables[name].table.foreign_key_constraints
        referred = {
            key.referred_table.fullname
            for key in keys
            if nullable or not _releasable(policy, relationships, key)
        } & relationships.keys()
        parents = through[name] | {parent for parent in referred if name not in through[parent]}
        for parent in parents & relationships.keys() - {name}:
            predecessors[parent].add(name)
    return predecessors


def _first(relationships: Relationships, predecessors: dict[str, set[str]]) -> frozenset[str]:
    """Return the tables with credentials, and all that must precede them."""
    found: set[str] = set()
    waiting = [
        name
        for name, links in relationships.items()
        if any(isinstance(relationship.rule.action, Revoke) for relationship in links)
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += predecessors[name]
    return frozenset(found)


def _deepest_first(
    policy: Policy, relationships: Relationships, predecessors: dict[str, set[str]]
) -> tuple[Table, ...]:
    """Return the tables in an order in which each follows its predecessors."""
    tables = {name: policy.tables[name].table for name in relationships}
    depth = {
        name: max(relationship.path.depth for relationship in found)
        for name, found in relationships.items()
    }
    ordered: list[str] = []
    entered: set[str] = set()

    def visit(name: str) -> None:
        if name in entered:
            return
        entered.add(name)
        # By depth and name, so that the order, and with it a plan's digest, is always the same.
        for child in sorted(predecessors[name], key=lambda n: (-depth[n], n)):
            visit(child)
        ordered.append(name)

    for name in sorted(tables, key=lambda n: (-depth[n], n)):
        visit(name)
    return tuple(tables[name] for name in ordered)


# ---------------------------------------------------------------- foreign keys that would break


def _broken(
    policy: Policy, relationships: Relationships, tables: Sequence[Table], first: frozenset[str]
) -> Iterator[ForeignKeyConstraint]:
    """Yield each foreign key into rows that are deleted before the rows that have it."""
    owned = {
        name
        for name, found in relationships.items()
        if any(isinstance(relationship.rule.via, OwnedBy) for relationship in found)
    }
    names = [table.fullname for table in tables]
    # As `closing_order` writes them: the user's row is between the others and the owned rows.
    written = [
        *sorted((name for name in names if name not in owned), key=lambda n: n not in first),
        policy.subject_table.fullname,
        *(name for name in names if name in owned),
    ]
    place = {name: number for number, name in enumerate(written)}
    for name in written:
        for key in sorted(policy.tables[name].table.foreign_key_constraints, key=column_names):
            referred = key.referred_table.fullname
            if place.get(referred, len(place)) < place[name] and _may_break(
                policy, relationships, key
            ):
                yield key


def _may_break(policy: Policy, relationships: Relationships, key: ForeignKeyConstraint) -> bool:
    """Return whether the database would refuse to delete the row that *key* refers to.

    A row that stays without writing over the foreign key is a problem of its own.
    """
    there = relationships.get(key.referred_table.fullname, ())
    if not any(isinstance(each.rule.action, (Delete, Revoke)) for each in there):
        return False
    refuses = (key.ondelete or "NO ACTION").upper() in ("NO ACTION", "RESTRICT")
    is_checked_late = (key.initially or "").upper() == "DEFERRED"
    if not refuses or is_checked_late or not key.info.get(ENFORCED, True):
        return False
    here = relationships.get(key.table.fullname, ())
    is_deleted = any(isinstance(each.rule.action, (Delete, Revoke)) for each in here)
    return is_deleted or _is_unlinked(policy, key)


def _is_unlinked(policy: Policy, key: ForeignKeyConstraint) -> bool:
    rules = policy.tables[key.table.fullname]
    actions = [*(rule.action for rule in rules.subjects), *(r.action for r in rules.close_rules)]
    return any(isinstance(action, Redact) for action in actions) and any(
        isinstance(rule.action, (Clear, Unlink))
        for name in column_names(key)
        for rule in rules.columns.get(name, ())
    )


def _releasable(
    policy: Policy, relationships: Relationships, key: ForeignKeyConstraint
) -> tuple[str, ...]:
    """Return the columns of *key* that can be set to NULL, by which no row is found."""
    columns = by_name(policy.tables[key.table.fullname].table)
    finding = {
        column.name
        for found in relationships.values()
        for relationship in found
        for hop in relationship.path.hops
        if hop.table is key.table
        for column in hop.columns
    }
    names = [name for name in column_names(key) if columns[name].nullable and name not in finding]
    is_whole = (key.match or "").upper() == "FULL"
    return () if is_whole and len(names) < len(column_names(key)) else tuple(names)


def _circle(key: ForeignKeyConstraint) -> Problem:
    referring, referred = key.table.fullname, key.referred_table.fullname
    names = ", ".join(column_names(key))
    back = _path(key.referred_table, key.table, frozenset()) or (f"rows of {referring}",)
    text = (
        f"These tables refer to each other in a circle: {referring}.{names} → "
        f"{' → '.join(back)}. The database refuses to delete the rows of {referred} first, and no "
        "column of the circle accepts NULL. Make one nullable, or check the foreign key at the "
        "commit:"
    )
    paste = 'deferrable=True, initially="DEFERRED"    # in its ForeignKey'
    return Problem("E204", referring, column_names(key)[0], text, paste)


def _path(table: Table, target: Table, seen: frozenset[Table]) -> tuple[str, ...]:
    """Return the foreign keys that lead from *table* to *target*, or nothing."""
    for key in sorted(table.foreign_key_constraints, key=column_names):
        here = f"{table.fullname}.{', '.join(column_names(key))}"
        if key.referred_table is target:
            return here, target.fullname
        if key.referred_table not in seen | {table}:
            onward = _path(key.referred_table, target, seen | {table})
            if onward:
                return here, *onward
    return ()
