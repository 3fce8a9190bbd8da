"""The SQL of a path: conditions that find a subject's rows in a table.

Statements use bare `table()` and `column()` copies of the schema, because an UPDATE of the
application's own tables would also write their Python-side ``onupdate`` values.
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

from efface.graph.hops import Hop
from efface.graph.paths import Path
from efface.plan.compiled_statement import AS_TEXT
from efface.plan.dialect_sql import is_any_of
from efface.policy.column_types import unwrapped

Condition = ColumnElement[bool]


def bare(source: Table) -> TableClause:
    """Return *source* with nothing but the names and types of its columns."""
    columns = [column(c.name, c.type) for c in source.columns]
    return table(source.name, *columns, schema=source.schema)


class KeyAsText(TypeDecorator[Any]):
    """A primary key bound as text, in the form that ``str`` gives."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        """Return *value* as text."""
        return None if value is None else str(value)


def parameter_for(
    name: str, mine: ColumnElement[Any], theirs: Column[Any]
) -> tuple[str, TypeEngine[Any]]:
    """Return name and type of a parameter with values of *theirs*, to compare with *mine*."""
    if isinstance(unwrapped(mine.type), String) and not isinstance(unwrapped(theirs.type), String):
        # A generic foreign key may store keys of any type as text.
        return AS_TEXT + name, KeyAsText()
    return name, theirs.type


@dataclass(frozen=True)
class SubjectParameters:
    """The parameters that identify subjects: one value each, or an array for a batch."""

    dialect: Dialect
    batch: bool = False

    def equal(
        self, mine: ColumnElement[Any], theirs: Column[Any], *, by_value: bool = False
    ) -> Condition:
        """Return the condition that *mine* equals the subjects' value of the column *theirs*.

        Matches by value have parameters of their own, without blank values and placeholders.
        """
        name = f"{'match' if by_value else 'subject'}_{theirs.name}"
        name, type_ = parameter_for(name, mine, theirs)
        if self.batch:
            return is_any_of(self.dialect, mine, name, type_)
        return mine == bindparam(name, type_=type_)

    def reached(self, path: Path, here: FromClause) -> Condition:
        """Return the condition that *path* connects a row of *here* with a subject."""
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
            # Without this, all rows with a blank value would match each other.
            keys = keys.where(targets[0].is_not(None), cast(targets[0], Text) != "")
        return columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys)

    def refers(self, others: FromClause, own: Hop, here: FromClause) -> Condition:
        """Return the condition that a row of *other_tables* references the row of *here*."""
        return and_(
            *(
                others.c[theirs.name] == here.c[mine.name]
                for mine, theirs in zip(own.columns, own.target_columns, strict=True)
            )
        )


def is_of_type(hop: Hop, here: FromClause) -> Condition:
    """Return the condition that a generic foreign key of *here* has the type of subjects."""
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
    """Return the key of a generic foreign key in the type of the subject's key."""
    type_ = hop.target_columns[0].type
    if isinstance(unwrapped(mine.type), String) and not isinstance(unwrapped(type_), String):
        if isinstance(unwrapped(type_), Uuid):
            # Text has hyphens, and SQLite stores a UUID without them.
            mine = func.replace(mine, "-", "")
        mine = cast(mine, type_)
    # Only for rows of this type: keys of other types may not convert.
    return case((is_of_type(hop, here), mine))


def owner(path: Path, here: FromClause) -> ColumnElement[Any]:
    """Return the value in a row of *here* that identifies its subject at the end of *path*."""
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
    # Several rows of the same subject may reference an owned row, and any of them is right.
    # LIMIT rather than min(), because PostgreSQL has no min() of UUIDs.
    return select(_owner(onward, there)).where(joined).limit(1).scalar_subquery()


def no_one_else_refers(subjects: SubjectParameters, path: Path, here: FromClause) -> Condition:
    """Return the condition that only the subject's rows reference an owned row of *here*."""
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
    """Return the negation in which NULL is not true, because a NULL foreign key finds no row."""
    return condition.is_not(true())
