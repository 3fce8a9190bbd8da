"""Translate one relationship into one hop: by foreign key, by value, owned or generic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint

from efface.policy.column_types import by_name, column_names, is_text, same_kind
from efface.policy.policy import Policy
from efface.policy.relationships import Generic, MatchBy, OwnedBy, Via


@dataclass(frozen=True)
class GenericType:
    """The type of a generic foreign key for subjects: a text, or a row in a table of types.

    ``column`` is the type column. ``names`` are the values of ``columns`` for subjects, one tuple
    for each type. If ``column`` references ``refers_to``, ``columns`` are in that table of types,
    else in the table itself.
    """

    column: Column[Any]
    columns: tuple[Column[Any], ...]
    names: tuple[tuple[str, ...], ...]
    refers_to: Column[Any] | None = None


@dataclass(frozen=True)
class Hop:
    """One step towards the subject: *columns* of *table* equal *target_columns* of *target*."""

    table: Table
    columns: tuple[Column[Any], ...]
    target: Table
    target_columns: tuple[Column[Any], ...]
    by_value: bool
    generic_type: GenericType | None = None


class BrokenRelationship(Exception):  # noqa: N818  # never leaves this package
    """A relationship that cannot be followed; the graph turns it into a `Problem`.

    ``table`` is where the broken hop begins; None if each table on the path has the problem.
    """

    def __init__(self, code: str, text: str, table: str | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.table = code, text, table


def first_hop(policy: Policy, table: Table, via: Via) -> tuple[Hop, str | None]:
    """Return the hop of a relationship, and the next relationship if *via* names it.

    Raises:
        BrokenRelationship: it names a table or column that does not exist, or does not fit.
    """
    if isinstance(via, MatchBy):
        return _match_hop(policy, table, via), None
    if isinstance(via, OwnedBy):
        return _owned_hop(policy, table, via), None
    if isinstance(via, Generic):
        return _generic_hop(policy, table, via), None
    onward = None
    names = via if isinstance(via, tuple) else (via,)
    if isinstance(via, str) and "." in via:
        first, onward = via.split(".", 1)
        names = (first,)
    for name in names:
        if name not in by_name(table):
            raise BrokenRelationship(
                "E201", (f"The relationship {via} names {name}, which is not a column.")
            )
    targets = [
        constraint
        for constraint in table.foreign_key_constraints
        if column_names(constraint) == names
    ]
    if not targets:
        raise BrokenRelationship(
            "E201",
            f"{joined(names)} has no foreign key. Add one, or say which values match: "
            f'via=MatchBy("{names[0]}", equals="table.column").',
        )
    return reference_hop(policy, table, targets[0]), onward


def reference_hop(policy: Policy, table: Table, constraint: ForeignKeyConstraint) -> Hop:
    """Return the hop along the foreign key *constraint*."""
    target = constraint.referred_table
    if target.fullname not in policy.tables:
        raise BrokenRelationship("E201", f"{target.fullname} is not a table of this policy.")
    columns = tuple(element.parent for element in constraint.elements)
    return Hop(table, columns, target, tuple(e.column for e in constraint.elements), False)


def _match_hop(policy: Policy, table: Table, via: MatchBy) -> Hop:
    target_name, _, target_column = via.equals.rpartition(".")
    if via.column not in by_name(table):
        raise BrokenRelationship("E201", f"MatchBy names {via.column}, which is not a column.")
    if target_name not in policy.tables:
        raise BrokenRelationship(
            "E201", f"MatchBy names {via.equals}, which is not a column of this policy."
        )
    target = policy.tables[target_name].table
    if target_column not in by_name(target):
        raise BrokenRelationship("E201", f"MatchBy names {via.equals}, which is not a column.")
    mine, column = by_name(table)[via.column], by_name(target)[target_column]
    # A column with a foreign key has keys of that table, even if its values look like the others.
    elsewhere = [key for key in mine.foreign_keys if key.column.table is not target]
    if elsewhere:
        place = f"{elsewhere[0].column.table.fullname}.{elsewhere[0].column.name}"
        raise BrokenRelationship(
            "E201",
            f"{via.column} refers to {place}, so its values are not those of {via.equals}. "
            f'Follow the reference: via="{via.column}".',
        )
    if not via.shared and not _is_unique(column):
        raise BrokenRelationship(
            "E201",
            f"A value of {via.equals} can belong to several users, so this relationship could "
            "reach other users' rows. Make the column unique, or accept that: "
            f'MatchBy("{via.column}", equals="{via.equals}", shared=True).',
        )
    return Hop(table, (mine,), target, (column,), True)


def _owned_hop(policy: Policy, table: Table, via: OwnedBy) -> Hop:
    name, _, column = via.by.rpartition(".")
    if name not in policy.tables or column not in by_name(policy.tables[name].table):
        raise BrokenRelationship(
            "E201", f"OwnedBy names {via.by}, which is not a column of this policy."
        )
    by = policy.tables[name].table
    for constraint in by.foreign_key_constraints:
        if column_names(constraint) == (column,) and constraint.referred_table is table:
            referring = reference_hop(policy, by, constraint)
            return Hop(table, referring.target_columns, by, referring.columns, False)
    raise BrokenRelationship("E201", f"{via.by} does not refer to {table.fullname}.")


def _generic_hop(policy: Policy, table: Table, via: Generic) -> Hop:
    for name in (via.type_column, via.id_column):
        if name not in by_name(table):
            raise BrokenRelationship("E201", f"Generic names {name}, which is not a column.")
    subject, column = policy.subject_table, by_name(table)[via.id_column]
    # One id column cannot store a key of several columns.
    key = tuple(subject.primary_key.columns)
    if len(key) != 1 or not (is_text(column) or same_kind(column, key[0])):
        raise BrokenRelationship(
            "E201", f"{via.id_column} can't hold the primary key of {subject.fullname}."
        )
    return Hop(
        table, (column,), subject, key, False, _generic_type(by_name(table)[via.type_column], via)
    )


def _generic_type(column: Column[Any], via: Generic) -> GenericType:
    if is_text(column):
        return GenericType(column, (column,), tuple((name,) for name in via.names))
    names = tuple(tuple(name.split(".")) for name in via.names)
    # Every type must have as many parts as the unique key of the table of types has columns.
    (parts, *others) = {len(name) for name in names} or {0}
    for reference in column.foreign_keys:
        kinds = reference.column.table
        for constraint in kinds.constraints:
            columns = tuple(constraint.columns) if isinstance(constraint, UniqueConstraint) else ()
            if not others and len(columns) == parts and all(map(is_text, columns)):
                return GenericType(column, columns, names, reference.column)
    raise BrokenRelationship(
        "E201",
        f"{via.type_column} is not text, and does not refer to a table with a unique key of "
        f"{parts} text columns, so it can't hold {' or '.join(via.names)}.",
    )


def _is_unique(column: Column[Any]) -> bool:
    table = column.table
    if column.unique or (column.primary_key and len(table.primary_key.columns) == 1):
        return True
    unique = [
        constraint
        for constraint in table.constraints
        if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint))
    ]
    if any([c.name for c in constraint.columns] == [column.name] for constraint in unique):
        return True
    # A unique index on lower(email) is stricter than one on email: it is unique as well.
    return any(
        index.unique and {c.name for c in index.columns} == {column.name}
        for index in table.indexes
        if not any(options.get("where") is not None for options in index.dialect_options.values())
    )


def names_of(columns: tuple[Column[Any], ...]) -> str:
    """Return the names of *columns* as a path shows them."""
    return joined(tuple(column.name for column in columns))


def joined(names: tuple[str, ...]) -> str:
    """Return one name as it is, and several in parentheses."""
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
