"""What is undecided, decided twice, or decided for something that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Enum, ForeignKeyConstraint, Integer, Table, Uuid

from efface.errors import Problem
from efface.policy.actions import Clear, ColumnAction, Placeholder, Redact, Replace, Unlink
from efface.policy.column_types import (
    by_name,
    column_names,
    is_json,
    is_text,
    is_unique,
    python_type,
    room,
    unwrapped,
)
from efface.policy.declarations import ColumnRule
from efface.policy.did_you_mean import did_you_mean
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import Via, compared_columns, link_columns

WRITTEN = (Clear, Unlink, Replace, Placeholder)
"""Actions whose value does not depend on the old one."""
POSSIBLE: Sequence[tuple[type, str]] = (
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
"""What fits a column that accepts no NULL, by the Python type of its values."""


def deleted_at(policy: Policy) -> Iterator[Problem]:
    """Yield what is wrong with the column that marks a closed account."""
    table, name = policy.subject_table, policy.subject.deleted_at
    if policy.removes_subject and name not in by_name(table):
        return
    if name not in by_name(table):
        text = f"The column {name}, which marks a closed account, is not in the table."
        paste = f"{name}: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))"
        yield Problem("E105", table.fullname, name, text, paste)
    elif not by_name(table)[name].nullable:
        text = f"The column {name} must accept NULL: NULL means that the account is open."
        yield Problem("E105", table.fullname, name, text)


def undecided(policy: Policy, table_rules: TableRules) -> Iterator[Problem]:
    """Yield the table, or each of its columns, that nobody has decided."""
    if not table_rules.is_decided:
        text = "This table is undecided: does it hold anything about a person?"
        paste = f"__table_args__ = ({_table_suggestion(policy, table_rules)},)"
        yield Problem("E101", table_rules.name, None, text, paste)
    if not table_rules.keeps_rows:
        return
    links = {name for rule in table_rules.close_rules for name in link_columns(rule.via)}
    for column in table_rules.table.columns:
        if (
            table_rules.columns[column.name]
            or column.name in links
            or needs_no_mark(table_rules, column)
        ):
            continue
        text = f"{column.name} is undecided. Add one of these to the column:"
        paste = "not_personal()"
        if (line := decision(table_rules, column)) is not None:
            paste = f"{line}\n{paste}"
        yield Problem("E101", table_rules.name, column.name, text, paste)


def unknown_names(table_rules: TableRules) -> Iterator[Problem]:
    """Yield each name in a marker that is no column, with the nearest that is."""
    named = [(name, "identifiers") for rule in table_rules.subjects for name in rule.identifiers]
    named += [
        (name, "identifiers") for rule in table_rules.close_rules for name in rule.identifiers
    ]
    named += [(name, "not_personal") for name in table_rules.columns]
    known = [column.name for column in table_rules.table.columns]
    for name, where in named:
        if name not in known:
            text = f"{where} names {name}, which is not a column.{did_you_mean(name, known)}"
            yield Problem("E103", table_rules.name, name, text)


def decided_once(table_rules: TableRules) -> Iterator[Problem]:
    """Yield the table, a link or a column for which two decisions stand side by side."""
    if table_rules.no_personal_data and (table_rules.subjects or table_rules.close_rules):
        text = "This table is marked as unrelated and as related at once; keep one of the markers."
        yield Problem("E104", table_rules.name, None, text)
    if len(table_rules.no_personal_data) > 1:
        text = "This table is marked as unrelated twice; keep one of the reasons."
        yield Problem("E104", table_rules.name, None, text)
    vias = [rule.via for rule in table_rules.close_rules]
    for via in {str(via): via for via in vias if vias.count(via) > 1}.values():
        text = f"The link {via} is given two actions; keep one of them."
        yield Problem("E104", table_rules.name, None, text)
    for name, rules in table_rules.columns.items():
        # One decision for each link: the same value can be the sender's and the recipient's.
        if len({rule.via for rule in rules}) < len(rules):
            text = f"{name} is decided {len(rules)} times; keep one of the decisions."
            yield Problem("E104", table_rules.name, name, text)
        else:
            yield from _alike(table_rules, name, rules)


def _alike(table_rules: TableRules, name: str, rules: tuple[ColumnRule, ...]) -> Iterator[Problem]:
    """Yield a column that two people in one row would each give a value of their own.

    Edits of the old value go together with one another and with a value that replaces it.
    """
    stays = {rule.via for rule in table_rules.close_rules if isinstance(rule.action, Redact)}
    written = [m for m in rules if m.via in stays and isinstance(m.action, WRITTEN)]
    if len({_written(rule.action) for rule in written}) > 1:
        first = written[0].action
        text = (
            f"Two links give {name} different values, so of two people in one row whoever leaves "
            "last would decide. Give both links one action:"
        )
        paste = "\n".join(f"personal({first!r}, via={rule.via!r})" for rule in written)
        yield Problem("E104", table_rules.name, name, text, paste)


def _written(action: ColumnAction | None) -> str:
    # Clear and Unlink both write NULL.
    return "NULL" if isinstance(action, (Clear, Unlink)) else repr(action)


def is_cut(table_rules: TableRules, via: Via) -> bool:
    """Return whether redacting a row of the table writes over the link *via* itself."""
    return any(isinstance(rule.action, Redact) for rule in table_rules.close_rules) and any(
        rule.action is not None and (rule.via is None or name in compared_columns(rule.via))
        for name in compared_columns(via)
        for rule in table_rules.columns.get(name, ())
    )


def needs_no_mark(table_rules: TableRules, column: Column[Any]) -> bool:
    """Return whether *column* is a number or UUID that identifies a row, or the tombstone."""
    if table_rules.subjects and column.name == table_rules.subjects[0].deleted_at:
        return True
    if column.foreign_keys:
        return True
    return column.primary_key and isinstance(unwrapped(column.type), (Integer, Uuid))


def suggestion(column: Column[Any]) -> str | None:
    """Return an action that is possible on *column*, as one types it, or None."""
    if column.nullable:
        return "Clear()"
    if is_unique(column):
        return "Placeholder()" if is_text(column) else None
    type_ = unwrapped(column.type)
    if isinstance(type_, Enum):
        return f'Replace("{type_.enums[0]}")' if type_.enums else None
    if is_text(column):
        length = room(column)
        return 'Replace("...")' if length is None or length >= len("...") else 'Replace("")'
    kind = dict if is_json(column) else python_type(column)
    return next((text for each, text in POSSIBLE if kind and issubclass(kind, each)), None)


def decision(table_rules: TableRules, column: Column[Any], via: Via | None = None) -> str | None:
    """Return a line that decides *column*, for the link *via* or the first of several."""
    action = None if column.computed is not None else suggestion(column)
    if via is None and len(table_rules.close_rules) > 1:
        via = table_rules.close_rules[0].via
    if action is None:
        return None
    return f"personal({action})" if via is None else f"personal({action}, via={via!r})"


def leading(policy: Policy, table: Table) -> tuple[Via, ...]:
    """Return links from *table* to people: all that refer to them, or else the shortest way."""
    keys = sorted(table.foreign_key_constraints, key=column_names)
    near = _distances(policy)
    if not near:
        # Nobody has said yet who the people are: any reference may lead to them.
        return tuple(map(_named, keys[:1]))
    nearest = min(
        (near[key.referred_table] for key in keys if key.referred_table in near), default=None
    )
    found = [key for key in keys if near.get(key.referred_table, -1) == nearest]
    if not found or nearest == 0:
        return tuple(map(_named, found))
    first, parent = _named(found[0]), policy.tables[found[0].referred_table.fullname]
    onward = [rule.via for rule in parent.close_rules] or leading(policy, parent.table)
    is_ambiguous = len(onward) > 1 and isinstance(first, str) and isinstance(onward[0], str)
    return (f"{first}.{onward[0]}" if is_ambiguous else first,)


def _named(key: ForeignKeyConstraint) -> Via:
    names = column_names(key)
    return names[0] if len(names) == 1 else names


def _distances(policy: Policy) -> dict[Table, int]:
    """Return how many references are between each table and the people, where any lead there."""
    every = policy.tables.values()
    near = {table_rules.table: 0 for table_rules in every if table_rules.subjects}
    while near and (
        further := {
            table_rules.table
            for table_rules in every
            if table_rules.table not in near
            and not table_rules.no_personal_data
            and any(key.referred_table in near for key in table_rules.table.foreign_key_constraints)
        }
    ):
        near |= dict.fromkeys(further, max(near.values()) + 1)
    return near


def _table_suggestion(policy: Policy, table_rules: TableRules) -> str:
    for via in leading(policy, table_rules.table):
        shown = f'"{via}"' if isinstance(via, str) else str(via).replace("'", '"')
        return f"on_close(Delete(), via={shown})"
    return 'no_personal_data(reason="...")'
