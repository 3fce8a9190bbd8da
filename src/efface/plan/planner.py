"""Make a plan: count the rows that a closure would change, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from efface.errors import UnknownSubjectError
from efface.plan.closing_subjects import ClosingSubjects, capture
from efface.plan.cursor import Cursor
from efface.plan.plan import Plan, Step
from efface.plan.policy_statements import PolicyStatements
from efface.plan.row_edits import find_edits
from efface.plan.table_statements import TableStatements
from efface.policy.actions import (
    Delete,
    Redact,
    Retain,
    Revoke,
)
from efface.policy.retention_period import Period


@dataclass
class RowCounts:
    """How many rows of one table are, or would be, deleted, redacted and retained."""

    removed: int = 0
    redacted: int | None = None
    changed: int = 0
    kept: list[tuple[Retain, int, Any]] = field(default_factory=list)


def count_rows(cursor: Cursor, table: TableStatements, subjects: ClosingSubjects) -> RowCounts:
    """Return how many rows of *table* a closure would change now."""
    result = RowCounts(kept=count_retained(cursor, table, subjects))
    if any(not isinstance(target.action, Retain) for target in table.targets):
        removed, redacted, unfinished = cursor.rows(table.row_counts, subjects.values)[0]
        edited = [edit for edit in find_edits(cursor, table, subjects) if not edit.unfinished]
        result.removed, result.redacted = removed, redacted
        result.changed = unfinished + len(edited)
    return result


def count_retained(
    cursor: Cursor, table: TableStatements, subjects: ClosingSubjects
) -> list[tuple[Retain, int, Any]]:
    """Return each `Retain` of *table* with the number of its rows and their latest start."""
    result = []
    for action, statement in table.retained_counts:
        rows, *latest = cursor.rows(statement, subjects.values)[0]
        result.append((action, rows, latest[0] if latest else None))
    return result


def make_plan(
    cursor: Cursor,
    statements: PolicyStatements,
    key: tuple[Any, ...],
    fingerprint: Callable[[tuple[Any, ...]], str],
    today: date,
    *,
    is_recorded: Callable[[tuple[Any, ...], datetime], bool],
) -> Plan:
    """Return what closing this account would do now.

    An account whose closing *is_recorded* has an empty plan. One that was soft-deleted by something
    else is still to be erased.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = cursor.rows(statements.find, statements.key_values(key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    subjects = capture(cursor, statements, rows)
    steps: tuple[Step, ...] = ()
    key, closed_at = subjects.only.key, subjects.only.closed_at
    # Closing a closed account changes nothing, so its plan has no steps.
    if closed_at is None or not is_recorded(key, closed_at):
        counts = {table.name: count_rows(cursor, table, subjects) for table in statements.tables}
        counts[""] = count_rows(cursor, statements.subject_row, subjects)
        steps = tuple(ordered_steps(statements, counts, today))
    shown = str(key[0]) if len(key) == 1 else str(key)
    return Plan(statements.table.fullname, shown, fingerprint(key), statements.digest, steps)


def preview(
    cursor: Cursor,
    statements: PolicyStatements,
    key: tuple[Any, ...],
    today: date,
    *,
    is_recorded: Callable[[tuple[Any, ...], datetime], bool],
) -> tuple[Step, ...]:
    """Return the steps of a closure without reading any text.

    Each step's ``rows`` are therefore the most that may change. An account whose closing
    *is_recorded* has no steps.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = cursor.rows(statements.find, statements.key_values(key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    subjects = capture(cursor, statements, rows, with_search_terms=False)
    closed_at = subjects.only.closed_at
    if closed_at is not None and is_recorded(subjects.only.key, closed_at):
        return ()
    counts = preview_counts(cursor, statements, subjects)
    counts[""] = RowCounts(removed=1, redacted=1, changed=1)
    return tuple(ordered_steps(statements, counts, today))


def preview_counts(
    cursor: Cursor, statements: PolicyStatements, subjects: ClosingSubjects
) -> dict[str, RowCounts]:
    """Return by table how many rows may change, without those of the subjects themselves."""
    counts = {}
    for table in statements.tables:
        found = counts[table.name] = RowCounts(kept=count_retained(cursor, table, subjects))
        if any(not isinstance(target.action, Retain) for target in table.targets):
            found.removed, found.redacted, _ = cursor.rows(table.row_counts, subjects.values)[0]
            # Every redacted row may change: only `make_plan` reads the texts.
            found.changed = found.redacted or 0
    return counts


def ordered_steps(
    statements: PolicyStatements, counts: Mapping[str, RowCounts], today: date
) -> Iterator[Step]:
    """Yield the steps as a plan shows them: credentials first, the subject's own row last.

    In *counts*, the subject's own row has the key ``""``.
    """
    for table in statements.in_plan_order:
        yield from table_steps(table, counts["" if table.is_subject_row else table.name], today)


def table_steps(table: TableStatements, counted: RowCounts, today: date) -> Iterator[Step]:
    """Yield one step for each action on a table, even if it changes no row."""
    summary = table.summary
    if table.has(Delete, Revoke):
        word, gone = Revoke.word if table.revokes else Delete.word, counted.removed
        yield Step(
            table.name, word, summary.removed, (), (("*", "deleted"),), rows=gone, reached=gone
        )  # fmt: skip
    for action, rows, latest in counted.kept:
        yield Step(
            table.name, action.word, summary.retained, (), (("*", "kept"),),
            rows=0, reached=rows, until=kept_until(action, today, latest),
            reason=f"{action.basis}: {action.reason}",
        )  # fmt: skip
    if table.redacts:
        yield Step(
            table.name, Redact.word, summary.redacted, summary.columns, summary.levels,
            rows=counted.changed, reached=counted.redacted,
        )  # fmt: skip


def kept_until(action: Retain, closed_on: date, latest: Any) -> date:
    """Return the last day on which rows under *action* are kept."""
    start = closed_on
    if action.start == "calendar-year-end":
        start = date(closed_on.year, 12, 31)
    # Without any date in the column, the period begins with the closing.
    elif action.start != "closing" and latest is not None:
        start = latest.date() if isinstance(latest, datetime) else latest
    return Period.parse(action.period).after(start)
