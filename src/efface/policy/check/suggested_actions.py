"""Write an action that fits a column, as a line to paste."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Enum

from efface.catalog.metadata import checks_of
from efface.policy.actions import Placeholder
from efface.policy.check.constraint_sql import (
    ConstraintEvaluator,
    candidates,
    columns_in,
    sqlite_text,
)
from efface.policy.column_types import (
    is_json,
    is_text,
    is_unique,
    is_uuid,
    python_type,
    room,
    unwrapped,
)
from efface.policy.model_references import writers_first
from efface.policy.policy import TableRules
from efface.policy.relationships import Via, referring_columns, shown

# In this order, because a datetime is a date to Python.
REPLACEMENTS: Sequence[tuple[type, str]] = (
    (date, 'Generalize("year")'),
    (time, "Replace(time())"),
    (timedelta, "Replace(timedelta())"),
    (bytes, 'Replace(b"")'),
    (list, "Replace([])"),
    (dict, "Replace({})"),
)
"""An action for a column that is not nullable, by the Python type of its values."""
NUMBERS = (int, float, Decimal)
ADDRESSES = frozenset({"INET", "CIDR"})
_ADDRESS = re.compile(r"(?:^|_)ip(?:v[46])?(?:_?addr(?:ess)?)?(?:_|$)")


def suggest_action(column: Column[Any]) -> str | None:
    """Return an action that is possible on *column*, as Python code.

    It is None if there is no such action, or if a value of this type says nothing about a user.
    """
    if isinstance(unwrapped(column.type), Boolean) or _is_referred_to(column):
        return None
    if is_address(column) and not is_unique(column):
        return 'Generalize("/24")'
    if column.nullable:
        return "Clear()"
    if is_unique(column):
        fits = is_text(column) and Placeholder().fitted(room(column)) is not None
        return "Placeholder()" if fits or is_uuid(column) else None
    return _replacement(column)


def _replacement(column: Column[Any]) -> str | None:
    type_, kind = unwrapped(column.type), dict if is_json(column) else python_type(column)
    values: Sequence[Any] = ()
    if isinstance(type_, Enum):
        values = type_.enums
    elif is_text(column):
        # A suggestion must pass the check itself, even on a column of one character.
        length = room(column)
        values = ["...", ""] if length is None or length >= len("...") else [""]
    elif kind in NUMBERS:
        values = [0]
    elif is_uuid(column):
        return "Placeholder()"
    if values:
        value = next(_accepted(column, values), None)
        return None if value is None else f"Replace({shown(value)})"
    return next((text for each, text in REPLACEMENTS if kind and issubclass(kind, each)), None)


def suggest_column_rule(
    table_rules: TableRules, column: Column[Any], via: Via | None = None
) -> str | None:
    """Return a rule for *column* as Python code, or None if no action is possible.

    Without *via*, the value is that of the user who wrote the row.
    """
    # The key of a user stays: other tables, logs and backups know the row by it.
    is_key = bool(table_rules.subjects) and column.primary_key
    action = None if column.computed is not None or is_key else suggest_action(column)
    if via is None and len(table_rules.close_rules) > 1:
        via = writer(table_rules)
    if action is None:
        return None
    return f"personal({action})" if via is None else f"personal({action}, via={shown(via)})"


def is_address(column: Column[Any]) -> bool:
    """Return whether *column* holds the address of a computer, which locates its user."""
    if type(unwrapped(column.type)).__name__.upper() in ADDRESSES:
        return True
    return is_text(column) and bool(_ADDRESS.search(column.name.lower()))


def writer(table_rules: TableRules) -> Via:
    """Return the relationship to the user who wrote a row, of a table with several of them."""
    vias = [rule.via for rule in table_rules.close_rules]
    for key in writers_first(table_rules.table.foreign_key_constraints):
        names = tuple(column.name for column in key.columns)
        for via in vias:
            if referring_columns(via) == names:
                return via
    return vias[0]


def _is_referred_to(column: Column[Any]) -> bool:
    """Return whether rows of other tables repeat the value, so that it can't change."""
    metadata = column.table.metadata
    return any(
        key.target_fullname == f"{column.table.fullname}.{column.name}"
        for table in metadata.tables.values()
        for key in table.foreign_keys
    )


def _accepted(column: Column[Any], values: Sequence[Any]) -> Iterator[Any]:
    """Yield those of *values* that the CHECKs of this column alone accept, then others."""
    texts = [text for each in checks_of(column.table) if (text := sqlite_text(each))]
    texts = [text for text in texts if columns_in(text, column.table) == [column]]
    found = [*values, *(value for text in texts for value in candidates(column, text))]
    with ConstraintEvaluator() as evaluator:
        for value in found:
            plain = int(value) if isinstance(value, float) and value.is_integer() else value
            fits = isinstance(plain, type(values[0]))
            if fits and all(evaluator.passes(text, {column.name: plain}) for text in texts):
                yield plain
