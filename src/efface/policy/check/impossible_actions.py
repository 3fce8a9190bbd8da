"""Find actions that a column cannot take: because of NULL, type, length or uniqueness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Enum
from sqlalchemy.types import TypeDecorator

from efface.errors import Problem
from efface.policy.actions import (
    Basis,
    ColumnAction,
    Delete,
    Generalize,
    Placeholder,
    Redact,
    Replace,
    Retain,
)
from efface.policy.check.suggested_actions import suggest_column_rule, writer
from efface.policy.column_types import (
    by_name,
    is_json,
    is_text,
    is_unique,
    is_uuid,
    python_type,
    room,
)
from efface.policy.declarations import ColumnRule
from efface.policy.policy import TableRules
from efface.policy.relationships import shown
from efface.policy.retention_period import Period

NUMBERS: Mapping[type, tuple[type, ...]] = {float: (int, float), Decimal: (int, float, Decimal)}


def impossible_actions(table_rules: TableRules) -> Iterator[Problem]:
    """Yield each column whose action cannot be carried out on it."""
    for name, rules in table_rules.columns.items():
        if name not in by_name(table_rules.table):
            continue
        column = by_name(table_rules.table)[name]
        for rule in rules:
            if rule.action is None:
                continue
            is_key = bool(table_rules.subjects) and column.primary_key
            text, paste = (
                why_impossible(column, rule.action),
                _paste(table_rules, column, rule, is_key=is_key),
            )
            if not text:
                text, paste = _whose(table_rules, name, rule)
            if is_key and not text:
                text = (
                    f"{name} is the primary key that other tables refer to, so it can't be "
                    "changed. Use:"
                )
                paste = _paste(table_rules, column, rule, is_key=is_key)
            if text:
                yield Problem("E103", table_rules.name, name, text, paste)


def why_impossible(column: Column[Any], action: ColumnAction) -> str | None:
    """Return why *action* cannot be carried out on *column*, or None if it can."""
    says = _RULES.get(action.word)
    if column.computed is not None:
        return (
            f"The database computes {column.name} from other columns, so Efface can't write to it. "
            "Add rules to those columns, and to this one:"
        )
    return says(column, action) if says else None


def _paste(table_rules: TableRules, column: Column[Any], rule: ColumnRule, *, is_key: bool) -> str:
    if is_key:
        return "not_personal()    # the plan shows that it stays"
    if column.computed is not None:
        return "not_personal()    # the database computes it again"
    return "" if column.nullable else suggest_column_rule(table_rules, column, rule.via) or ""


NO_REASONS = frozenset(
    {"", "-", "because", "fixme", "n/a", "reason", "tbd", "to do", "todo", "xxx"}
)
"""Texts that people write in place of a reason."""


def reason_problems(table_rules: TableRules) -> Iterator[Problem]:
    """Yield a problem if ``no_personal_data`` has no reason that a reviewer could check."""
    for rule in table_rules.no_personal_data:
        if _is_no_reason(rule.reason):
            text = "no_personal_data needs a reason, so that others can review it:"
            paste = 'no_personal_data(reason="a fixed list of countries")'
            yield Problem("E103", table_rules.name, None, text, paste)


def _is_no_reason(reason: object) -> bool:
    return not isinstance(reason, str) or reason.strip(" .…").casefold() in NO_REASONS


def retain_problems(table_rules: TableRules) -> Iterator[Problem]:
    """Yield each `Retain` whose period, basis, reason or start is missing or not valid."""
    for rule in table_rules.close_rules:
        action = rule.action
        if not isinstance(action, Retain):
            continue
        if _is_no_reason(action.reason) or not isinstance(action.basis, Basis):
            text = "Retain needs a basis and a reason, because the page says why a record is kept:"
            paste = 'Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, reason="tax law")'
            yield Problem("E103", table_rules.name, None, text, paste)
        then: object = action.then
        if not isinstance(then, (Delete, Redact)):
            text = "Retain ends with Delete() or Redact(). Write, for example:"
            yield Problem("E103", table_rules.name, None, text, "Retain(..., then=Delete())")
        try:
            Period.parse(action.period)
        except ValueError:
            text = "Retain needs a period as an ISO 8601 duration, such as P10Y or P30D."
            yield Problem("E103", table_rules.name, None, text)
        if action.start not in ("closing", "calendar-year-end", *by_name(table_rules.table)):
            text = (
                'Retain starts at "closing", at "calendar-year-end", or at a column of this table.'
            )
            yield Problem("E103", table_rules.name, None, text)


def _whose(table_rules: TableRules, name: str, rule: ColumnRule) -> tuple[str | None, str]:
    """Return why it is unclear whose value *name* is, and a rule that names a relationship."""
    links = [leaving.via for leaving in table_rules.close_rules]
    if table_rules.subjects:
        return None, ""
    whose = shown(writer(table_rules)) if links else ""
    paste = f"personal({rule.action!r}, via={whose})" if links else ""
    if rule.via is None and len(links) > 1:
        return f"A row can belong to several users. Say whose {name} is: via={whose}.", paste
    if rule.via is not None and rule.via not in links:
        return f"{name} names the relationship {rule.via}, which this table does not have.", paste
    return None, ""


def _clear(column: Column[Any], _: Any) -> str | None:
    if column.nullable:
        return None
    return (
        f"{column.name} can't be cleared, because the column does not accept NULL. "
        "Use another action, or make the column nullable."
    )


def _unlink(column: Column[Any], _: Any) -> str | None:
    if column.nullable:
        return None
    part = "is part of a key" if column.primary_key else "does not accept NULL"
    return (
        f"{column.name} can't be unlinked, because the column {part}. Let it refer to the "
        "tombstone row with not_personal(), or delete the row with on_close(Delete(), …)."
    )


def _placeholder(column: Column[Any], action: Placeholder) -> str | None:
    if is_uuid(column):
        return None
    if not is_text(column):
        return f"{column.name} can't take a placeholder, because it does not hold text."
    length = room(column)
    if action.fitted(length) is not None:
        return None
    if action.shortest is None:
        return (
            "A placeholder of hexadecimal digits alone looks like a value that your application "
            f"wrote to {column.name}. Give it a prefix that ends in another character, such as -."
        )
    return (
        f"{column.name} has room for {length} characters, but a unique placeholder needs "
        f"{action.shortest}. Widen the column, or choose a shorter suffix."
    )


def _mentions(column: Column[Any], _: Any) -> str | None:
    if is_text(column) or is_json(column):
        return None
    return f"{column.name} holds neither text nor JSON, so ReplaceMentions can't search it."


def _replace(column: Column[Any], action: Replace) -> str | None:
    value = action.value
    if isinstance(column.type, TypeDecorator) or is_json(column):
        # Only the application knows which values its own type, or its JSON, accepts.
        return _collides(column)
    if value is None:
        return _clear(column, action)
    type_ = column.type
    if isinstance(type_, Enum):
        return _no_member(column, type_, value) or _collides(column)
    kind = python_type(column)
    if kind is not None and not _is_a(value, kind):
        return f"{column.name} holds values of type {kind.__name__}, and the new value is not one."
    length = room(column)
    if isinstance(value, str) and length is not None and len(value) > length:
        return f"{column.name} has room for {length} characters, and the new value is longer."
    return _collides(column)


def _is_a(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        # To Python a bool is an int, to PostgreSQL it is not.
        return kind is bool
    return isinstance(value, NUMBERS.get(kind, (kind,)))


def _no_member(column: Column[Any], type_: Enum, value: Any) -> str | None:
    members = list(type_.enum_class) if type_.enum_class else []
    if value in members or value in type_.enums:
        return None
    return f"{column.name} accepts only these values: {', '.join(type_.enums)}."


def _collides(column: Column[Any]) -> str | None:
    if not is_unique(column):
        return None
    return (
        f"{column.name} is unique, so only one closed account could have this value. "
        "Use Placeholder() or Clear()."
    )


def _generalize(column: Column[Any], action: Generalize) -> str | None:
    if action.to in ("year", "month"):
        kind = python_type(column)
        if kind is not None and issubclass(kind, date):
            return None
        return f"{column.name} does not hold dates, so it can't be generalized to a {action.to}."
    bits = action.to.removeprefix("/") if isinstance(action.to, str) else ""
    if bits != action.to and bits.isdecimal() and int(bits) <= 32:  # noqa: PLR2004  # bits of IPv4
        return None
    if isinstance(action.to, int) and action.to >= 0:
        if is_text(column):
            return None
        return f"{column.name} does not hold text, so it has no first characters to keep."
    return 'Generalize takes "year", "month", a prefix such as "/24", or a number of characters.'


_RULES: Mapping[str, Callable[[Column[Any], Any], str | None]] = {
    "clear": _clear,
    "unlink": _unlink,
    "placeholder": _placeholder,
    "replace": _replace,
    "replace mentions": _mentions,
    "generalize": _generalize,
}
