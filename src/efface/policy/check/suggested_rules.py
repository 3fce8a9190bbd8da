"""Write rules that fit a table or a column, as lines to paste into the models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Enum, ForeignKeyConstraint, Table

from efface.policy.column_types import (
    column_names,
    is_json,
    is_text,
    is_unique,
    python_type,
    room,
    unwrapped,
)
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import Via

# In this order, because a bool is an int to Python, and a datetime a date.
REPLACEMENTS: Sequence[tuple[type, str]] = (
    (bool, "Replace(False)"),
    (int, "Replace(0)"),
    (float, "Replace(0)"),
    (Decimal, "Replace(0)"),
    (date, 'Generalize("year")'),
    (time, "Replace(time())"),
    (timedelta, "Replace(timedelta())"),
    (UUID, "Replace(UUID(int=0))"),
    (bytes, 'Replace(b"")'),
    (list, "Replace([])"),
    (dict, "Replace({})"),
)
"""An action for a column that is not nullable, by the Python type of its values."""


def suggest_action(column: Column[Any]) -> str | None:
    """Return an action that is possible on *column*, as Python code, or None."""
    if column.nullable:
        return "Clear()"
    if is_unique(column):
        return "Placeholder()" if is_text(column) else None
    type_ = unwrapped(column.type)
    if isinstance(type_, Enum):
        return f'Replace("{type_.enums[0]}")' if type_.enums else None
    if is_text(column):
        # A suggestion must pass the check itself, even on a column of one character.
        length = room(column)
        return 'Replace("...")' if length is None or length >= len("...") else 'Replace("")'
    kind = dict if is_json(column) else python_type(column)
    return next((text for each, text in REPLACEMENTS if kind and issubclass(kind, each)), None)


def suggest_column_rule(
    table_rules: TableRules, column: Column[Any], via: Via | None = None
) -> str | None:
    """Return a rule for *column* as Python code, or None if no action is possible.

    Without *via*, a column of a table with several relationships gets the first of them.
    """
    action = None if column.computed is not None else suggest_action(column)
    if via is None and len(table_rules.close_rules) > 1:
        via = table_rules.close_rules[0].via
    if action is None:
        return None
    return f"personal({action})" if via is None else f"personal({action}, via={via!r})"


def suggest_table_rule(policy: Policy, table_rules: TableRules) -> str:
    """Return a rule for a table as Python code."""
    for via in suggest_relationships(policy, table_rules.table):
        shown = f'"{via}"' if isinstance(via, str) else str(via).replace("'", '"')
        return f"on_close(Delete(), via={shown})"
    return 'no_personal_data(reason="...")'


def suggest_relationships(policy: Policy, table: Table) -> tuple[Via, ...]:
    """Return a *via* for each foreign key from *table* to the users' table.

    If there is none, return the first foreign key on a shortest path to it, or nothing.
    """
    keys = sorted(table.foreign_key_constraints, key=column_names)
    near = _distances_to_subject(policy)
    if not near:
        # There is no users' table yet, and any foreign key may turn out to reference it.
        return tuple(map(_named, keys[:1]))
    nearest = min(
        (near[key.referred_table] for key in keys if key.referred_table in near), default=None
    )
    found = [key for key in keys if near.get(key.referred_table, -1) == nearest]
    if not found or nearest == 0:
        return tuple(map(_named, found))
    first, parent = _named(found[0]), policy.tables[found[0].referred_table.fullname]
    onward = [rule.via for rule in parent.close_rules] or suggest_relationships(
        policy, parent.table
    )
    # The second part of "a.b" is only necessary if the parent has several relationships.
    is_ambiguous = len(onward) > 1 and isinstance(first, str) and isinstance(onward[0], str)
    return (f"{first}.{onward[0]}" if is_ambiguous else first,)


def _named(key: ForeignKeyConstraint) -> Via:
    names = column_names(key)
    return names[0] if len(names) == 1 else names


def _distances_to_subject(policy: Policy) -> dict[Table, int]:
    """Return the number of foreign keys between each table and the users' table."""
    every = policy.tables.values()
    near = {table_rules.table: 0 for table_rules in every if table_rules.subjects}
    while near and (
        further := {
            table_rules.table
            for table_rules in every
            if table_rules.table not in near
            # A table without personal data cannot be on a path: none of its rows is a user's.
            and not table_rules.no_personal_data
            and any(key.referred_table in near for key in table_rules.table.foreign_key_constraints)
        }
    ):
        near |= dict.fromkeys(further, max(near.values()) + 1)
    return near
