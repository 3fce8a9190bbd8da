"""STAGE 2 · every table that mentions the subject, and by which paths.

A link names one hop; the path goes on through the link of the table it arrives at until it
reaches the subject's table. Problems are collected, never raised one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Table

from efface.errors import Problem
from efface.graph.hops import Hop, NoPath, first_hop, names_of, reference_hop
from efface.policy.actions import Clear, Delete, Owned, Retain, Revoke, Unlink
from efface.policy.check.decisions import is_cut
from efface.policy.markers import LeavingMark, Via
from efface.policy.rules import Policy, TableRule


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
class Reach:
    """One `on_leaving` together with the path that its link stands for."""

    mark: LeavingMark
    path: Path

    @property
    def through(self) -> str:
        """Return the link as the plan shows it."""
        via = self.mark.via
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
    reaches: dict[str, tuple[Reach, ...]]
    order: tuple[Table, ...]
    first: frozenset[str]


def build(policy: Policy) -> tuple[Graph, tuple[Problem, ...]]:
    """Return the graph of *policy* and everything that is wrong with its links."""
    problems: list[Problem] = []
    reaches: dict[str, tuple[Reach, ...]] = {}
    for name, rule in policy.tables.items():
        found = []
        for mark in rule.leavings:
            try:
                hops = tuple(_hops(policy, rule.table, mark.via, frozenset()))
            except NoPath as error:
                problems.append(Problem(error.code, name, None, error.text))
            else:
                found.append(Reach(mark, Path(hops)))
        if found:
            reaches[name] = tuple(found)
    for name, owned in list(reaches.items()):
        if any(isinstance(reach.mark.via, Owned) for reach in owned):
            reaches[name] = _with_sharers(policy, owned, reaches)
            problems += _owned_problems(policy, owned)
    problems += _subject_must_stay(policy, reaches)
    before = _before(policy, reaches)
    graph = Graph(policy, reaches, _deepest_first(policy, reaches, before), _first(reaches, before))
    return graph, tuple(problems)


def _hops(
    policy: Policy, table: Table, via: Via, seen: frozenset[tuple[str, Via]]
) -> Iterator[Hop]:
    if (table.fullname, via) in seen:
        raise NoPath("E201", f"The link through {table.fullname} runs in a circle.")
    hop, onward = first_hop(policy, table, via)
    yield hop
    if hop.target is policy.subject_table:
        return
    rule = policy.tables[hop.target.fullname]
    if not rule.leavings:
        raise NoPath(
            "E201",
            f"The link {via} arrives at {rule.name}, and nothing leads from there to "
            f"{policy.subject_table.fullname}. Give {rule.name} a link of its own.",
        )
    links = [mark.via for mark in rule.leavings]
    if onward is not None:
        links = [link for link in links if link == onward]
    if len(links) != 1:
        choices = " or ".join(f'via="{via}.{mark.via}"' for mark in rule.leavings)
        raise NoPath("E202", f"{rule.name} has several links; name the one meant: {choices}.")
    yield from _hops(policy, hop.target, links[0], seen | {(table.fullname, via)})


def _with_sharers(
    policy: Policy, owned: tuple[Reach, ...], reaches: dict[str, tuple[Reach, ...]]
) -> tuple[Reach, ...]:
    """Return the reaches of an owned table, knowing every reference to its rows."""
    table = owned[0].path.hops[0].table
    sharers = []
    for name, rule in policy.tables.items():
        for constraint in rule.table.foreign_key_constraints:
            if constraint.referred_table is table:
                hop = reference_hop(policy, rule.table, constraint)
                sharers.append(
                    (
                        Hop(table, hop.target_columns, rule.table, hop.columns, False),
                        (*(reach.path for reach in reaches.get(name, ())), *_own_path(rule)),
                    )
                )
    return tuple(replace(r, path=replace(r.path, sharers=tuple(sharers))) for r in owned)


def _own_path(rule: TableRule) -> tuple[Path, ...]:
    """Return the path by which the subject's own row is the subject's."""
    if not rule.subjects:
        return ()
    key = tuple(rule.table.primary_key.columns)
    return (Path((Hop(rule.table, key, rule.table, key, False),)),)


def _owned_problems(policy: Policy, owned: tuple[Reach, ...]) -> Iterator[Problem]:
    name = owned[0].path.hops[0].table.fullname
    if len(owned) > 1:
        yield Problem("E202", name, None, "A table with an Owned link has no other link.")
    for reach in owned:
        hop = reach.path.hops[0]
        rule = policy.tables[hop.target.fullname]
        actions = [mark.action for mark in rule.columns.get(hop.target_columns[0].name, ())]
        goes = all(isinstance(m.action, (Delete, Revoke)) for m in rule.leavings)
        lets_go = any(isinstance(action, (Unlink, Clear)) for action in actions)
        if isinstance(reach.mark.action, Delete) and not (lets_go or (goes and rule.leavings)):
            column = hop.target_columns[0].name
            text = f"{rule.name}.{column} still refers to the rows that go. Mark the column:"
            yield Problem("E103", name, None, text, "personal(Unlink())")


def _subject_must_stay(policy: Policy, reaches: dict[str, tuple[Reach, ...]]) -> Iterator[Problem]:
    """Yield why the person's row cannot be deleted: some row that refers to it stays."""
    if not policy.removes_subject:
        return
    subject = policy.subject_table
    kept = {
        name: getattr(reach.mark.action, "because", "its rows stay")
        for name, found in reaches.items()
        for reach in found
        if not isinstance(reach.mark.action, (Delete, Revoke))
        and (_stays_referring(policy, reach) or _stays_by_value(policy, reach))
    }
    declared = {
        (name, reach.path.hops[0].columns) for name, found in reaches.items() for reach in found
    }
    for name, rule in policy.tables.items():
        for constraint in rule.table.foreign_key_constraints:
            columns = tuple(element.parent for element in constraint.elements)
            if constraint.referred_table is subject and (name, columns) not in declared:
                kept.setdefault(name, f"{names_of(columns)} refers to it and no link says so")
    for name, reason in kept.items():
        text = f"{name} must stay ({reason}), so the person's row cannot be deleted. Use:"
        paste = "data_subject()    # redacts the row and leaves a tombstone"
        yield Problem("E103", subject.fullname, None, text, paste)


def _stays_referring(policy: Policy, reach: Reach) -> bool:
    """Return whether a row stays that the database lets refer only to what is there.

    A reference that is written over refers no more; of a row that is kept, none is.
    """
    is_kept = isinstance(reach.mark.action, Retain)
    return all(map(_refers, reach.path.hops)) and (is_kept or not reach.is_cut(policy))


def _stays_by_value(policy: Policy, reach: Reach) -> bool:
    """Return whether a row may stay by *reach* and also refer to the person's own row.

    The database would refuse to let that row go; or would let this one go along, although it is
    to be kept.
    """
    hop = reach.path.hops[0]
    is_kept = isinstance(reach.mark.action, Retain)
    if not (hop.by_value or hop.kind) or (reach.is_cut(policy) and not is_kept):
        return False
    rule = policy.tables[hop.table.fullname]
    for key in hop.table.foreign_key_constraints:
        lets_go = (key.ondelete or "").upper() == "SET NULL" or (
            not is_kept and is_cut(rule, tuple(key.column_keys))
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


def _before(policy: Policy, reaches: dict[str, tuple[Reach, ...]]) -> dict[str, set[str]]:
    """Return for each table those that come before it: found through it, or referring to it.

    Cutting a parent first would leave its children behind, because they are found through it;
    deleting a parent first would break their foreign keys. Where both pull, being found wins.
    """
    before: dict[str, set[str]] = {name: set() for name in reaches}
    through = {
        name: {hop.target.fullname for reach in found for hop in reach.path.hops}
        for name, found in reaches.items()
    }
    for name in reaches:
        keys = policy.tables[name].table.foreign_keys
        referred = {key.column.table.fullname for key in keys} & reaches.keys()
        parents = through[name] | {parent for parent in referred if name not in through[parent]}
        for parent in parents & reaches.keys() - {name}:
            before[parent].add(name)
    return before


def _first(reaches: dict[str, tuple[Reach, ...]], before: dict[str, set[str]]) -> frozenset[str]:
    """Return the tables with credentials, and all that come before them."""
    found: set[str] = set()
    waiting = [
        name
        for name, links in reaches.items()
        if any(isinstance(reach.mark.action, Revoke) for reach in links)
    ]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += before[name]
    return frozenset(found)


def _deepest_first(
    policy: Policy, reaches: dict[str, tuple[Reach, ...]], before: dict[str, set[str]]
) -> tuple[Table, ...]:
    """Return the tables so that each comes after those that are to come before it."""
    tables = {name: policy.tables[name].table for name in reaches}
    depth = {name: max(reach.path.depth for reach in found) for name, found in reaches.items()}
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
