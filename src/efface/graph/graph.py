"""STAGE 2 · every table with rows of the subject, and the paths that find them.

A rule's relationship is the first hop of a path. If it arrives at another table than the
subject's, the path continues with that table's relationship. Problems are collected, to report
them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Table

from efface.errors import Problem
from efface.graph.hops import BrokenRelationship, Hop, first_hop, names_of, reference_hop
from efface.graph.paths import Path, Relationship
from efface.graph.write_order import Release, write_order
from efface.policy.actions import Clear, Delete, Retain, Revoke, Unlink
from efface.policy.column_types import column_names
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import OwnedBy, Via, named


@dataclass(frozen=True)
class Graph:
    """Every table with `on_close` rules, each before the tables that its paths go through.

    ``first`` has the names of the tables with credentials, and of those that must precede them.
    ``releases`` has the foreign keys that would keep the database from deleting rows in this order.
    """

    policy: Policy
    relationships: dict[str, tuple[Relationship, ...]]
    order: tuple[Table, ...]
    first: frozenset[str]
    releases: tuple[Release, ...]


def build(policy: Policy) -> tuple[Graph, tuple[Problem, ...]]:
    """Return the graph of *policy* and the problems of its relationships."""
    problems: list[Problem] = []
    relationships: dict[str, tuple[Relationship, ...]] = {}
    for name, table_rules in policy.tables.items():
        found = []
        for rule in table_rules.close_rules:
            try:
                hops = tuple(_hops(policy, table_rules.table, rule.via, frozenset()))
            except BrokenRelationship as error:
                # What is broken at a table further on is reported there.
                if error.table in (None, name):
                    problems.append(Problem(error.code, name, None, error.text))
            else:
                found.append(Relationship(rule, Path(hops)))
        if found:
            relationships[name] = tuple(found)
    # After all others, because an owned row is found by the paths of the rows that reference it.
    for name, owned in list(relationships.items()):
        if any(isinstance(relationship.rule.via, OwnedBy) for relationship in owned):
            relationships[name] = _with_incoming(policy, owned, relationships)
            problems += _owned_problems(policy, owned)
    problems += _subject_must_stay(policy, relationships)
    order = write_order(policy, relationships)
    graph = Graph(policy, relationships, order.tables, order.first, order.releases)
    return graph, (*problems, *order.problems)


def _hops(
    policy: Policy, table: Table, via: Via, seen: frozenset[tuple[str, Via]]
) -> Iterator[Hop]:
    if (table.fullname, via) in seen:
        raise BrokenRelationship(
            "E201",
            f"The relationship through {table.fullname} runs in a circle. Choose another one.",
        )
    try:
        hop, onward = first_hop(policy, table, via)
    except BrokenRelationship as error:
        error.table = table.fullname
        raise
    yield hop
    if hop.target is policy.subject_table:
        return
    table_rules = policy.tables[hop.target.fullname]
    if not table_rules.close_rules:
        raise BrokenRelationship(
            "E201",
            f"The relationship {via} ends at {table_rules.name}, which has no relationship to "
            f"{policy.subject_table.fullname}. Add one to {table_rules.name}.",
            table.fullname,
        )
    links = [rule.via for rule in table_rules.close_rules]
    # A rule may name the relationship of the table in between: via="order_id.user_id".
    if onward is not None:
        links = [link for link in links if named(link) == onward]
    if len(links) != 1:
        raise BrokenRelationship("E202", _choices(table_rules, via), table.fullname)
    yield from _hops(policy, hop.target, links[0], seen | {(table.fullname, via)})


def _choices(there: TableRules, via: Via) -> str:
    """Return that *via* arrives at a table with several relationships, and how to name one."""
    text = f"{there.name} has several relationships. "
    if not isinstance(via, str):
        return (
            f"{text}Only a path through one foreign key column can name one of them, so give this "
            f"table such a column, or keep one relationship of {there.name}."
        )
    first = via.partition(".")[0]
    lines = (f'via="{first}.{named(rule.via)}"' for rule in there.close_rules)
    return f"{text}Name one of them: {' or '.join(lines)}."


def _with_incoming(
    policy: Policy,
    owned: tuple[Relationship, ...],
    relationships: dict[str, tuple[Relationship, ...]],
) -> tuple[Relationship, ...]:
    """Return the relationships of an owned table with every foreign key that references it."""
    table = owned[0].path.hops[0].table
    incoming = []
    for name, table_rules in policy.tables.items():
        for constraint in table_rules.table.foreign_key_constraints:
            # Foreign keys without a rule count, too: they must not dangle either.
            if constraint.referred_table is table:
                hop = reference_hop(policy, table_rules.table, constraint)
                incoming.append(
                    (
                        Hop(table, hop.target_columns, table_rules.table, hop.columns, False),
                        (
                            *(relationship.path for relationship in relationships.get(name, ())),
                            *_own_path(table_rules),
                        ),
                    )
                )
    return tuple(replace(r, path=replace(r.path, incoming=tuple(incoming))) for r in owned)


def _own_path(table_rules: TableRules) -> tuple[Path, ...]:
    """Return the path from the subject's own row to itself."""
    if not table_rules.subjects:
        return ()
    # One hop from the table to itself lets conditions treat this row like any other.
    key = tuple(table_rules.table.primary_key.columns)
    return (Path((Hop(table_rules.table, key, table_rules.table, key, False),)),)


def _owned_problems(policy: Policy, owned: tuple[Relationship, ...]) -> Iterator[Problem]:
    name = owned[0].path.hops[0].table.fullname
    if len(owned) > 1:
        yield Problem(
            "E202",
            name,
            None,
            "A table with OwnedBy can't have another relationship. Keep one of them.",
        )
    for relationship in owned:
        hop = relationship.path.hops[0]
        table_rules = policy.tables[hop.target.fullname]
        actions = [rule.action for rule in table_rules.columns.get(hop.target_columns[0].name, ())]
        goes = all(isinstance(m.action, (Delete, Revoke)) for m in table_rules.close_rules)
        # A deleted row releases the row that it references, and so does a foreign key set to NULL.
        lets_go = any(isinstance(action, (Unlink, Clear)) for action in actions)
        if isinstance(relationship.rule.action, Delete) and not (
            lets_go or (goes and table_rules.close_rules)
        ):
            column = hop.target_columns[0].name
            text = (
                f"{table_rules.name}.{column} still refers to deleted rows. Add this to the column:"
            )
            yield Problem("E103", name, None, text, "personal(Unlink())")


def _subject_must_stay(
    policy: Policy, relationships: dict[str, tuple[Relationship, ...]]
) -> Iterator[Problem]:
    """Yield a problem for each table whose rows stay and reference the subject's deleted row."""
    if not policy.removes_subject:
        return
    subject = policy.subject_table
    # Deleted rows are no obstacle, because they are deleted before the subject's row.
    kept = {
        name: getattr(relationship.rule.action, "reason", "redacted")
        for name, found in relationships.items()
        for relationship in found
        if not isinstance(relationship.rule.action, (Delete, Revoke))
        and (_stays_referring(policy, relationship) or _stays_unlinked(policy, relationship))
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
                # The database would refuse to delete the user's row, whether a rule names the key
                # or not.
                kept.setdefault(name, f"no rule for {names_of(columns)}")
    for name, reason in kept.items():
        text = f"Rows of {name} are kept ({reason}), so the user's row can't be deleted. Use:"
        paste = "data_subject()    # redacts the row and leaves a tombstone row"
        yield Problem("E103", subject.fullname, None, text, paste)


def _stays_referring(policy: Policy, relationship: Relationship) -> bool:
    """Return whether a row stays with a foreign key to the subject's deleted row.

    Redacting a row may overwrite the foreign key. A retained row keeps it.
    """
    is_kept = isinstance(relationship.rule.action, Retain)
    return all(map(_refers, relationship.path.hops)) and (
        is_kept or not relationship.is_overwritten(policy)
    )


def _stays_unlinked(policy: Policy, relationship: Relationship) -> bool:
    """Return whether a row found by value stays and also references the subject's own row.

    The database would refuse to delete the subject's row, or would cascade to a row to be kept.
    """
    hop = relationship.path.hops[0]
    is_kept = isinstance(relationship.rule.action, Retain)
    if not (hop.by_value or hop.generic_type) or (
        relationship.is_overwritten(policy) and not is_kept
    ):
        return False
    table_rules = policy.tables[hop.table.fullname]
    for key in hop.table.foreign_key_constraints:
        # The database or the redaction sets the foreign key to NULL, so nothing dangles.
        lets_go = (key.ondelete or "").upper() == "SET NULL" or (
            not is_kept and table_rules.overwrites(column_names(key))
        )
        if key.referred_table is policy.subject_table and not lets_go:
            return True
    return False


def _refers(hop: Hop) -> bool:
    """Return whether *hop* follows a foreign key, so that the target must exist.

    A match by value follows none, and an owned row is on the referenced side.
    """
    if hop.by_value:
        return False
    there = set(hop.target_columns)
    return any(key.column in there for column in hop.columns for key in column.foreign_keys)
