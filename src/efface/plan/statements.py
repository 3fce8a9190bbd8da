"""An action and a path → Core: conditions that find the rows, values that replace the old ones.

Statements are built on bare `table()` and `column()` copies of the schema: an application's
Python-side defaults and ``onupdate`` values must not ride along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    TableClause,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    table,
    true,
    tuple_,
    type_coerce,
)

from efface.graph import Hop, Path
from efface.plan.dialects import Token
from efface.policy.actions import Clear, ColumnAction, Placeholder, Replace, ReplaceMentions


def bare(source: Table) -> TableClause:
    """Return *source* with names and types alone."""
    columns = [column(c.name, c.type) for c in source.columns]
    return table(source.name, *columns, schema=source.schema)


def subject_bind(name: str, type_: Any, *, by_value: bool = False) -> ColumnElement[Any]:
    """Return the parameter that holds the subject's value of the column *name*.

    Links by value have parameters of their own: a blank or a placeholder matches nothing there.
    """
    return bindparam(f"{'match' if by_value else 'subject'}_{name}", type_=type_)


def reaches(path: Path, here: FromClause) -> ColumnElement[bool]:
    """Return the condition that *path* leads from a row of *here* to the subject."""
    return _leads(path.hops, here)


def _leads(hops: Sequence[Hop], here: FromClause) -> ColumnElement[bool]:
    hop, *onward = hops
    columns = [here.c[c.name] for c in hop.columns]
    if not onward:
        return and_(
            *(
                mine == subject_bind(theirs.name, theirs.type, by_value=hop.by_value)
                for mine, theirs in zip(columns, hop.target_columns, strict=True)
            )
        )
    there = bare(hop.target).alias()
    targets = [there.c[c.name] for c in hop.target_columns]
    keys = select(*targets).where(_leads(onward, there))
    if hop.by_value:
        keys = keys.where(targets[0].is_not(None), cast(targets[0], Text) != "")
    return columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys)


def new_value(action: ColumnAction, target: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return what a static column action writes into *target*."""
    if isinstance(action, Clear):
        return null()
    if isinstance(action, Replace):
        return literal(action.value, type_=target.type)
    if isinstance(action, Placeholder):
        made: ColumnElement[Any] = Token()
        if action.prefix:
            made = literal(action.prefix).concat(made)
        return made.concat(action.suffix) if action.suffix else made
    raise TypeError(f"{action.word} has no value that is the same for every row")


def not_done(action: ColumnAction, target: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that *target* still holds something else than the action leaves."""
    if isinstance(action, Clear):
        return target.is_not(None)
    if isinstance(action, Replace):
        return target.is_distinct_from(literal(action.value, type_=target.type))
    if isinstance(action, Placeholder):
        shape = f"{_like(action.prefix)}%{_like(action.suffix)}"
        return or_(
            target.is_(None),
            target.not_like(shape, escape="\\"),
            func.length(target) != action.length,
        )
    raise TypeError(f"{action.word} is decided on each text, not in a condition")


def is_static(action: ColumnAction) -> bool:
    """Return whether the action writes without reading the row."""
    return not isinstance(action, ReplaceMentions)


def may_mention(columns: Sequence[ColumnElement[Any]], patterns: int) -> ColumnElement[bool]:
    """Return the condition that a text in *columns* may hold one of so many patterns.

    The patterns are bound as ``pattern_0`` and so on.
    """
    return or_(
        *(
            as_text(target).ilike(bindparam(f"pattern_{i}", type_=Text()), escape="\\")
            for target in columns
            for i in range(patterns)
        )
    )


def as_text(target: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return *target* read as the database keeps it, past any type of the application's."""
    return type_coerce(cast(target, Text), Text())


def is_not_true(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the negation for which NULL counts as not true: an empty link reaches nothing."""
    return condition.is_not(true())


def _like(text: str) -> str:
    return "".join("\\" + c if c in "\\%_" else c for c in text)
