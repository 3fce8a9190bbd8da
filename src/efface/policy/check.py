"""Every column decided, every action possible on its column: all problems at once."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from sqlalchemy import JSON, Column, Enum, Integer, String, Uuid
from sqlalchemy.types import TypeDecorator, TypeEngine

from efface.errors import Problem
from efface.policy.actions import (
    Basis,
    Clear,
    Match,
    Placeholder,
    ReplaceMentions,
    Retain,
)
from efface.policy.markers import ColumnMark
from efface.policy.period import Period
from efface.policy.rules import Policy, TableRule, subject_problems


def check(policy: Policy) -> tuple[Problem, ...]:
    """Return everything that keeps *policy* from being carried out; empty when it is ready.

    Links are followed by `efface.graph`, which reports those that lead nowhere.
    """
    problems = list(subject_problems(policy))
    if not problems:
        problems += _tombstone(policy)
    for rule in policy.tables.values():
        problems += _table(rule)
        problems += _undecided_columns(rule)
        for name, marks in rule.columns.items():
            problems += _column(rule, name, marks)
        problems += _retentions(rule)
    # A table that came into the metadata later is as undecided as a forgotten one.
    for name in sorted(set(policy.metadata.tables) - set(policy.tables)):
        text = "This table was added after Policy.from_metadata had read the models."
        paste = "import every model before: policy = Policy.from_metadata(Base.metadata)"
        problems.append(Problem("E101", name, None, text, paste))
    return tuple(problems)


def unwrapped(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type below any `TypeDecorator`: what the database sees."""
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl_instance
    return type_


def is_text(column: Column[Any]) -> bool:
    """Return whether *column* holds free text; enumerations do not."""
    type_ = unwrapped(column.type)
    return isinstance(type_, String) and not isinstance(type_, Enum)


def is_json(column: Column[Any]) -> bool:
    """Return whether *column* holds JSON documents."""
    return isinstance(unwrapped(column.type), JSON)


def _tombstone(policy: Policy) -> Iterator[Problem]:
    table, name = policy.subject_table, policy.subject.tombstone
    if policy.removes_subject and name not in table.c:
        return
    if name not in table.c:
        text = f"The column {name}, which marks a closed account, is not in the table."
        paste = f"{name}: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))"
        yield Problem("E105", table.fullname, name, text, paste)
    elif not table.c[name].nullable:
        text = f"The column {name} must accept NULL: NULL means that the account is open."
        yield Problem("E105", table.fullname, name, text)


def _table(rule: TableRule) -> Iterator[Problem]:
    if not rule.is_decided:
        text = "This table is undecided: does it hold anything about a person?"
        paste = f"__table_args__ = ({_table_suggestion(rule)},)"
        yield Problem("E101", rule.name, None, text, paste)
    kinds = [kind for kind in (rule.subjects, rule.leavings, rule.unrelated) if kind]
    if len(kinds) > 1 and not (rule.subjects and rule.leavings and not rule.unrelated):
        text = "This table is marked as unrelated and as related at once; keep one of the markers."
        yield Problem("E104", rule.name, None, text)
    known = [column.name for column in rule.table.columns]
    for names in [mark.identifiers for mark in rule.subjects] + [
        mark.identifiers for mark in rule.leavings
    ]:
        yield from _unknown(rule, names, known, "identifiers")
    yield from _unknown(rule, rule.columns, known, "not_personal")


def _unknown(rule: TableRule, names: Any, known: list[str], where: str) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            yield Problem(
                "E103", rule.name, name, f"{where} names {name}, which is not a column.{hint}"
            )


def _table_suggestion(rule: TableRule) -> str:
    for constraint in rule.table.foreign_key_constraints:
        column = constraint.column_keys[0]
        return f'on_leaving(Delete(), via="{column}")'
    return 'unrelated(because="...")'


def _undecided_columns(rule: TableRule) -> Iterator[Problem]:
    if not rule.keeps_rows:
        return
    links = {name for mark in rule.leavings for name in _link_columns(mark.via)}
    for column in rule.table.columns:
        if rule.columns[column.name] or column.name in links or _needs_no_mark(rule, column):
            continue
        text = f"{column.name} is undecided. Add one of these to the column:"
        paste = f"personal({_column_suggestion(column)})\nnot_personal()"
        yield Problem("E101", rule.name, column.name, text, paste)


def _link_columns(via: Any) -> tuple[str, ...]:
    if isinstance(via, Match):
        # The value is the link, and it may name the person: it needs a decision of its own.
        return ()
    return via if isinstance(via, tuple) else (via.split(".")[0],)


def _needs_no_mark(rule: TableRule, column: Column[Any]) -> bool:
    if rule.subjects and column.name == rule.subjects[0].tombstone:
        return True
    if column.foreign_keys:
        return True
    return column.primary_key and isinstance(unwrapped(column.type), (Integer, Uuid))


def _column_suggestion(column: Column[Any]) -> str:
    if column.nullable:
        return "Clear()"
    if is_text(column):
        return "Placeholder()" if column.unique else 'Replace("...")'
    if is_json(column):
        return "Replace({})"
    return "Replace(...)"


def _column(rule: TableRule, name: str, marks: tuple[ColumnMark, ...]) -> Iterator[Problem]:
    if len(marks) > 1 and len({mark.via for mark in marks}) < len(marks):
        text = f"{name} is decided {len(marks)} times; keep one of the decisions."
        yield Problem("E104", rule.name, name, text)
    if name not in rule.table.c:
        return
    column = rule.table.c[name]
    for mark in marks:
        problem = _impossible(column, mark) or _whose(rule, name, mark)
        if problem:
            yield Problem("E103", rule.name, name, problem)


def _whose(rule: TableRule, name: str, mark: ColumnMark) -> str | None:
    links = [leaving.via for leaving in rule.leavings]
    if mark.action is None or rule.subjects:
        return None
    if mark.via is None and len(links) > 1:
        return f"Several people are linked to a row; say whose {name} is: via={links[0]!r}."
    if mark.via is not None and mark.via not in links:
        return f"{name} belongs to the link {mark.via}, which the table does not have."
    return None


def _impossible(column: Column[Any], mark: ColumnMark) -> str | None:
    action = mark.action
    if isinstance(action, Clear) and not column.nullable:
        return (
            f"{column.name} cannot be cleared, because the column does not accept NULL. "
            'Use Replace("...") or make the column nullable.'
        )
    if isinstance(action, Placeholder):
        if not is_text(column):
            return f"{column.name} cannot take a placeholder, because it does not hold text."
        length = getattr(unwrapped(column.type), "length", None)
        if length is not None and length < action.length:
            return (
                f"{column.name} has room for {length} characters, and this placeholder "
                f"has {action.length}. Widen the column or choose a shorter prefix."
            )
    if isinstance(action, ReplaceMentions) and not (is_text(column) or is_json(column)):
        return f"{column.name} holds neither text nor JSON, so nothing can be mentioned in it."
    return None


def _retentions(rule: TableRule) -> Iterator[Problem]:
    for mark in rule.leavings:
        action = mark.action
        if not isinstance(action, Retain):
            continue
        if not action.because.strip() or not isinstance(action.basis, Basis):
            text = "Retain needs a basis and a reason: people are told why a record stays."
            paste = 'Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, because="tax law")'
            yield Problem("E103", rule.name, None, text, paste)
        try:
            Period.parse(action.period)
        except ValueError:
            text = "Retain needs a period as an ISO 8601 duration, such as P10Y or P30D."
            yield Problem("E103", rule.name, None, text)
        if action.start not in ("closing", "calendar-year-end", *rule.table.c.keys()):
            text = 'Retain starts at "closing", "calendar-year-end" or at a column of the table.'
            yield Problem("E103", rule.name, None, text)
