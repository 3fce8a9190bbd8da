"""An action and a path → Core: conditions that find the rows, values that replace the old ones.

Statements are built on bare `table()` and `column()` copies of the schema: an application's
Python-side defaults and ``onupdate`` values must not ride along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    String,
    Table,
    TableClause,
    Text,
    TypeDecorator,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    true,
    tuple_,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from efface.graph.graph import Path
from efface.graph.hops import Hop
from efface.plan.compiled_statement import AS_TEXT
from efface.plan.dialect_sql import is_any_of
from efface.policy.column_types import unwrapped

Condition = ColumnElement[bool]


def bare(source: Table) -> TableClause:
    """Return *source* with names and types alone."""
    columns = [column(c.name, c.type) for c in source.columns]
    return table(source.name, *columns, schema=source.schema)


class KeyAsText(TypeDecorator[Any]):
    """A key as text, the way it is printed."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        """Return *value* as text."""
        return None if value is None else str(value)


def parameter_for(
    name: str, mine: ColumnElement[Any], theirs: Column[Any]
) -> tuple[str, TypeEngine[Any]]:
    """Return the parameter *name* with values of the column *theirs*, and its type, for *mine*."""
    if isinstance(unwrapped(mine.type), String) and not isinstance(unwrapped(theirs.type), String):
        # A generic pair may keep keys of any type as text.
        return AS_TEXT + name, KeyAsText()
    return name, theirs.type


@dataclass(frozen=True)
class SubjectParameters:
    """How statements name the people: by one value each, or by an array for many at once."""

    dialect: Dialect
    batch: bool = False

    def equal(
        self, mine: ColumnElement[Any], theirs: Column[Any], *, by_value: bool = False
    ) -> Condition:
        """Return the condition that *mine* holds the subjects' value of the column *theirs*.

        Links by value have parameters of their own: a blank or a placeholder matches nothing.
        """
        name = f"{'match' if by_value else 'subject'}_{theirs.name}"
        name, type_ = parameter_for(name, mine, theirs)
        if self.batch:
            return is_any_of(self.dialect, mine, name, type_)
        return mine == bindparam(name, type_=type_)

    def reached(self, path: Path, here: FromClause) -> Condition:
        """Return the condition that *path* leads from a row of *here* to a subject."""
        return self._leads(path.hops, here)

    def _leads(self, hops: Sequence[Hop], here: FromClause) -> Condition:
        hop, *onward = hops
        columns = [here.c[c.name] for c in hop.columns]
        if not onward:
            return and_(
                is_of_type(hop, here),
                *(
                    self.equal(mine, theirs, by_value=hop.by_value)
                    for mine, theirs in zip(columns, hop.target_columns, strict=True)
                ),
            )
        there = bare(hop.target).alias()
        targets = [there.c[c.name] for c in hop.target_columns]
        keys = select(*targets).where(self._leads(onward, there))
        if hop.by_value:
            keys = keys.where(targets[0].is_not(None), cast(targets[0], Text) != "")
        return columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys)

    def refers(self, others: FromClause, own: Hop, here: FromClause) -> Condition:
        """Return the condition that a row of *other_tables* refers to the row of *here*."""
        return and_(
            *(
                others.c[theirs.name] == here.c[mine.name]
                for mine, theirs in zip(own.columns, own.target_columns, strict=True)
            )
        )


def is_of_type(hop: Hop, here: FromClause) -> Condition:
    """Return the condition that a row of *here* is about people, as far as *hop* tells."""
    if hop.generic_type is None:
        return true()
    column, generic_type = here.c[hop.generic_type.column.name], hop.generic_type
    table = here if generic_type.refers_to is None else bare(generic_type.refers_to.table)
    columns = [table.c[column.name] for column in generic_type.columns]
    holds_identifier = or_(
        *(
            and_(*(c == literal(name, c.type) for c, name in zip(columns, names, strict=True)))
            for names in generic_type.names
        )
    )
    if generic_type.refers_to is None:
        return holds_identifier
    return column.in_(select(table.c[generic_type.refers_to.name]).where(holds_identifier))


def _key(hop: Hop, here: FromClause, mine: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the key in a row of a generic pair as the subject's table has it."""
    type_ = hop.target_columns[0].type
    if isinstance(unwrapped(mine.type), String) and not isinstance(unwrapped(type_), String):
        if isinstance(unwrapped(type_), Uuid):
            # Printed with hyphens; SQLite keeps it without.
            mine = func.replace(mine, "-", "")
        mine = cast(mine, type_)
    # Only there: what other kinds have for a key may be no such value.
    return case((is_of_type(hop, here), mine))


def owner(path: Path, here: FromClause) -> ColumnElement[Any]:
    """Return the value by which a row of *here* names its subject, at the end of *path*."""
    return _owner(path.hops, here)


def _owner(hops: Sequence[Hop], here: FromClause) -> ColumnElement[Any]:
    hop, *onward = hops
    if not onward:
        mine = here.c[hop.columns[0].name]
        return mine if hop.generic_type is None else _key(hop, here, mine)
    there = bare(hop.target).alias()
    joined = and_(
        *(
            there.c[theirs.name] == here.c[mine.name]
            for mine, theirs in zip(hop.columns, hop.target_columns, strict=True)
        )
    )
    # An owned row may be referred to by several rows of the same person: any of them will do.
    # Not the smallest, because PostgreSQL has no smallest UUID.
    return select(_owner(onward, there)).where(joined).limit(1).scalar_subquery()


def no_one_else_refers(subjects: SubjectParameters, path: Path, here: FromClause) -> Condition:
    """Return the condition that only the subject's rows refer to an owned row of *here*."""
    clauses = []
    for hop, onward in path.incoming:
        others = bare(hop.target).alias()
        theirs = or_(*(subjects.reached(each, others) for each in onward)) if onward else None
        foreign = [] if theirs is None else [is_not_true(theirs)]
        clauses.append(
            ~exists().select_from(others).where(subjects.refers(others, hop, here), *foreign)
        )
    return and_(true(), *clauses)


def is_not_true(condition: Condition) -> Condition:
    """Return the negation for which NULL counts as not true: an empty link reaches nothing."""
    return condition.is_not(true())
