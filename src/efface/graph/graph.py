"""STAGE 2 · every table that mentions the subject, and by which paths.

A link names one hop; the path goes on through the link of the table it arrives at until it
reaches the subject's table. Problems are collected, never raised one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Table

from efface.errors import Problem
from efface.graph.hops import Hop, NoRelationship, first_hop, names_of, reference_hop
from efface.policy.actions import Clear, Delete, Retain, Revoke, Unlink
from efface.policy.check.missing_rules import is_cut
from efface.policy.column_types import column_names
from efface.policy.declarations import CloseRule
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import OwnedBy, Via


@dataclass(frozen=True)
class Path:
    """The hops from a table's rows to the subject's row.

    The rows of an owned table are referred to; ``sharers`` are all references to them, each with
    the paths by which the referring rows are the subject's own.
    """

    hops: tuple[Hop, ...]
    sharers: tuple[tuple[Hop, tuple[Path, ...]], ...] = ()

    @property
    def depth(self) -> int:
        """Return how many hops away the subject is."""
        return len(self.hops)

    def __str__(self) -> str:
        """Return the path as ``invoices.order_id → orders.user_id → users.id``."""
        places = [f"{hop.table.fullname}.{names_of(hop.columns)}" for hop in self.hops]
        last = self.hops[-1]
        return " → ".join([*places, f"{last.target.fullname}.{names_of(last.target_columns)}"])


@dataclass(frozen=True)
class Relationship:
    """One `on_close` together with the path that its link stands for."""

    rule: CloseRule
    path: Path

    @property
    def through(self) -> str:
        """Return the link as the plan shows it."""
        via = self.rule.via
        return ", ".join(via) if isinstance(via, tuple) else str(via)

    def is_cut(self, policy: Policy) -> bool:
        """Return whether redacting rows writes over a column on the way to the subject."""
        return any(
            is_cut(policy.tables[hop.table.fullname], tuple(column.name for column in columns))
            for hop in self.path.hops
            for columns in (hop.columns, (hop.kind.column,) if hop.kind else ())
        )


@dataclass(frozen=True)
class Graph:
    """Every table with links, children before the tables they are found through.

    ``first`` names the tables with credentials, and those that have to go before them.
    """

    policy: Policy
    relationships: dict[str, tuple[Relationship, ...]]
    order: tuple[Table, ...]
    first: frozenset[str]


def build(policy: Policy) -> tuple[Graph, tuple[Problem, ...]]:
    """Return the graph of *policy* and everything that is wrong with its links."""
    problems: list[Problem] = []
    relationships: dict[str, tuple[Relationship, ...]] = {}
    for name, table_rules in policy.tables.items():
        found = []
        for rule in table_rules.close_rules:
            try:
                hops = tuple(_hops(policy, table_rules.table, rule.via, frozenset()))
            except NoRelationship as error:
                problems.append(Problem(error.code, name, None, error.text))
            else:
                found.append(Relationship(rule, Path(hops)))
        if found:
            relationships[name] = tuple(found)
    for name, owned in list(relationships.items()):
        if any(isinstance(relationship.rule.via, OwnedBy) for relationship in owned):
            relationships[name] = _with_sharers(policy, owned, relationships)
            problems += _owned_problems(policy, owned)
    problems += _subject_must_stay(policy, relationships)
    before = _before(policy, relationships)
    graph = Graph(
        policy,
        relationships,
        _deepest_first(policy, relationships, before),
        _first(relationships, before),
    )
    return graph, tuple(problems)


def _hops(
    policy: Policy, table: Table, via: Via, seen: frozenset[tuple[str, Via]]
) -> Iterator[Hop]:
    if (table.fullname, via) in seen:
        raise NoRelationship("E201", f"The link through {table.fullname} runs in a circle.")
    hop, onward = first_hop(policy, table, via)
    yield hop
    if hop.target is policy.subject_table:
        return
    table_rules = policy.tables[hop.target.fullname]
    if not table_rules.close_rules:
        raise NoRelationship(
            "E201",
            f"The link {via} arrives at {table_rules.name}, and nothing leads from there to "
            f"{policy.subject_table.fullname}. Give {table_rules.name} a link of its own.",
        )
    links = [rule.via for rule in table_rules.close_rules]
    if onward is not None:
        links = [link for link in links if link == onward]
    if len(links) != 1:
        choices = " or ".join(f'via="{via}.{rule.via}"' for rule in table_rules.close_rules)
        raise NoRelationship(
            "E202", f"{table_rules.name} has several links; name the one meant: {choices}."
        )
    yield from _hops(policy, hop.target, links[0], seen | {(table.fullname, via)})


def _with_sharers(
    policy: Policy,
    owned: tuple[Relationship, ...],
    relationships: dict[str, tuple[Relationship, ...]],
) -> tuple[Relationship, ...]:
    """Return the reaches of an owned table, knowing every reference to its rows."""
    table = owned[0].path.hops[0].table
    sharers = []
    for name, table_rules in policy.tables.items():
        for constraint in table_rules.table.foreign_key_constraints:
            if constraint.referred_table is table:
                hop = reference_hop(policy, table_rules.table, constraint)
                sharers.append(
                    (
                        Hop(table, hop.target_columns, table_rules.table, hop.columns, False),
                        (
                            *(relationship.path for relationship in relationships.get(name, ())),
                            *_own_path(table_rules),
                        ),
                    )
                )
    return tuple(replace(r, path=replace(r.path, sharers=tuple(sharers))) for r in owned)


def _own_path(table_rules: TableRules) -> tuple[Path, ...]:
    """Return the path by which the subject's own row is the subject's."""
    if not table_rules.subjects:
        return ()
    key = tuple(table_rules.table.primary_key.columns)
    return (Path((Hop(table_rules.table, key, table_rules.table, key, False),)),)


def _owned_problems(policy: Policy, owned: tuple[Relationship, ...]) -> Iterator[Problem]:
    name = owned[0].path.hops[0].table.fullname
    if len(owned) > 1:
        yield Problem("E202", name, None, "A table with an Owned link has no other link.")
    for relationship in owned:
        hop = relationship.path.hops[0]
        table_rules = policy.tables[hop.target.fullname]
        actions = [rule.action for rule in table_rules.columns.get(hop.target_columns[0].name, ())]
        goes = all(isinstance(m.action, (Delete, Revoke)) for m in table_rules.close_rules)
        lets_go = any(isinstance(action, (Unlink, Clear)) for action in actions)
        if isinstance(relationship.rule.action, Delete) and not (
            lets_go or (goes and table_rules.close_rules)
        ):
            column = hop.target_columns[0].name
            text = f"{table_rules.name}.{column} still refers to the rows that go. Mark the column:"
            yield Problem("E103", name, None, text, "personal(Unlink())")


def _subject_must_stay(
    policy: Policy, relationships: dict[str, tuple[Relationship, ...]]
) -> Iterator[Problem]:
    """Yield why the person's row cannot be deleted: some row that refers to it stays."""
    if not policy.removes_subject:
        return
    subject = policy.subject_table
    kept = {
        name: getattr(relationship.rule.action, "reason", "its rows stay")
        for name, found in relationships.items()
        for relationship in found
        if not isinstance(relationship.rule.action, (Delete, Revoke))
        and (_stays_referring(policy, relationship) or _stays_by_value(policy, relationship))
    }
    declared = {
        (name, relationship.path.hops[0].columns)
        for name, found in relationships.items()
        for relationship in found
    }
    for name, table_rules in policy.tables.items():
        for constraint in table_rules.table.foreign_key_constraints:
            columns = tuple(element.parent for element in constraint.elements)
            if constraint.referred_table is subject and (name, columns) not in declared:
                kept.setdefault(name, f"{names_of(columns)} refers to it and no link says so")
    for name, reason in kept.items():
        text = f"{name} must stay ({reason}), so the person's row cannot be deleted. Use:"
        paste = "data_subject()    # redacts the row and leaves a tombstone"
        yield Problem("E103", subject.fullname, None, text, paste)


def _stays_referring(policy: Policy, relationship: Relationship) -> bool:
    """Return whether a row stays that the database lets refer only to what is there.

    A reference that is written over refers no more; of a row that is kept, none is.
    """
    is_kept = isinstance(relationship.rule.action, Retain)
    return all(map(_refers, relationship.path.hops)) and (
        is_kept or not relationship.is_cut(policy)
    )


def _stays_by_value(policy: Policy, relationship: Relationship) -> bool:
    """Return whether a row may stay by *reach* and also refer to the person's own row.

    The database would refuse to let that row go; or would let this one go along, although it is
    to be kept.
    """
    hop = relationship.path.hops[0]
    is_kept = isinstance(relationship.rule.action, Retain)
    if not (hop.by_value or hop.kind) or (relationship.is_cut(policy) and not is_kept):
        return False
    table_rules = policy.tables[hop.table.fullname]
    for key in hop.table.foreign_key_constraints:
        lets_go = (key.ondelete or "").upper() == "SET NULL" or (
            not is_kept and is_cut(table_rules, column_names(key))
        )
        if key.referred_table is policy.subject_table and not lets_go:
            return True
    return False


def _refers(hop: Hop) -> bool:
    """Return whether the database itself keeps the target of *hop* while its row stays.

    It does not for a link by value, nor from an owned row to the row that refers to it.
    """
    if hop.by_value:
        return False
    there = set(hop.target_columns)
    return any(key.column in there for column in hop.columns for key in column.foreign_keys)


def _before(
    policy: Policy, relationships: dict[str, tuple[Relationship, ...]]
) -> dict[str, set[str]]:
    """Return for each table those that come before it: found through it, or referring to it.

    Cutting a parent first would leave its children behind, because they are found through it;
    deleting a parent first would break their foreign keys. Where both pull, being found wins.
    """
    before: dict[str, set[str]] = {name: set() for name in relationships}
    through = {
        name: {hop.target.fullname for relationship in found for hop in relationship.path.hops}
        for name, found in relationships.items()
    }
    for name in relationships:
        keys = policy.tables[name].table.foreign_keys
        referred = {key.column.table.fullname for key in keys} & relationships.keys()
        parents = through[name] | {parent for parent in referred if name not in through[parent]}
        for parent in parents & relationships.keys() - {name}:
            before[parent].add(name)
    return before


def _first(
    relationships: dict[str, tuple[Relationship, ...]], before: dict[str, set[str]]
) -> frozenset[str]:
    """Return the tables with credentials, and all that come before them."""
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
            waiting += before[name]
    return frozenset(found)


def _deepest_first(
    policy: Policy, relationships: dict[str, tuple[Relationship, ...]], before: dict[str, set[str]]
) -> tuple[Table, ...]:
    """Return the tables so that each comes after those that are to come before it."""
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
        for child in sorted(before[name], key=lambda n: (-depth[n], n)):
            visit(child)
        ordered.append(name)

    for name in sorted(tables, key=lambda n: (-depth[n], n)):
        visit(name)
    return tuple(tables[name] for name in ordered)
