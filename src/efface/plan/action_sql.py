"""Translate an action into SQL: the new value, and the condition of rows with an old one.

`new_value` is for the SET of an UPDATE, `not_done` for its WHERE. Actions that must read the old
value first (`ReplaceMentions`, `Generalize`) are in `efface.plan.row_edits`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Text,
    bindparam,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    type_coerce,
)
from sqlalchemy.engine import Dialect

from efface.plan.dialect_sql import RandomHexadecimal
from efface.plan.path_sql import Condition
from efface.policy.actions import (
    HEXADECIMAL,
    Clear,
    ColumnAction,
    Placeholder,
    Replace,
    Unlink,
)
from efface.policy.column_types import is_uuid, unwrapped


def new_value(action: ColumnAction, target: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the value that *action* writes into *target*.

    Raises:
        TypeError: the action needs the old value.
    """
    if isinstance(action, (Clear, Unlink)):
        return null()
    if isinstance(action, Replace):
        return literal(action.value, type_=target.type)
    if isinstance(action, Placeholder):
        made: ColumnElement[Any] = RandomHexadecimal()
        if action.digits < RandomHexadecimal.digits:
            made = func.substr(made, 1, action.digits)
        if action.prefix:
            made = literal(action.prefix).concat(made)
        if is_uuid(target):
            return type_coerce(cast(made, unwrapped(target.type)), target.type)
        return made.concat(action.suffix) if action.suffix else made
    raise TypeError(f"{action.word} has no value that is the same for every row")


def not_done(action: ColumnAction, target: ColumnElement[Any]) -> Condition:
    """Return the condition that *target* still has a value other than the action leaves.

    Raises:
        TypeError: the action needs the old value.
    """
    if isinstance(action, (Clear, Unlink)):
        return target.is_not(None)
    if isinstance(action, Replace):
        new: ColumnElement[Any] = literal(action.value, type_=target.type)
        if isinstance(unwrapped(target.type), JSON):
            # PostgreSQL cannot compare values of type json.
            return as_text(target).is_distinct_from(as_text(new))
        return target.is_distinct_from(new)
    if isinstance(action, Placeholder):
        text = func.replace(as_text(target), "-", "") if is_uuid(target) else target
        shape = f"{_like(action.prefix)}%{_like(action.suffix)}"
        token = func.substr(text, len(action.prefix) + 1, action.digits)
        return or_(
            target.is_(None),
            text.not_like(shape, escape="\\"),
            func.length(text) != action.length,
            # With a prefix of one character, many values of this length look like it.
            func.ltrim(token, "".join(sorted(HEXADECIMAL))) != "",
        )
    raise TypeError(f"{action.word} depends on each value, so it has no condition")


def may_mention(dialect: Dialect, target: ColumnElement[Any], patterns: int) -> Condition:
    """Return the condition that the text in *target* matches one of the patterns.

    Args:
        dialect: The database.
        target: The column.
        patterns: How many there are. They are bound as ``pattern_0`` and so on.
    """
    text = as_text(target)
    if dialect.name == "postgresql":
        # PostgreSQL has no statistics for an expression. With statistics it would compare each
        # pattern with its samples at every planning, which takes longer than the query.
        text = text.concat("")
    return or_(
        false(),
        *(
            text.ilike(bindparam(f"pattern_{i}", type_=Text()), escape="\\")
            for i in range(patterns)
        ),
    )


def as_text(target: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return *target* as the text that the database stores, without the application's type."""
    return type_coerce(cast(target, Text), Text())


def _like(text: str) -> str:
    return "".join("\\" + c if c in "\\%_" else c for c in text)
