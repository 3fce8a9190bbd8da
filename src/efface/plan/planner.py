"""policy + graph + counts → Plan: reads the database and changes nothing."""

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
from efface.plan.row_edits import edits
from efface.plan.table_statements import TableStatements
from efface.policy.actions import (
    Delete,
    Redact,
    Retain,
    Revoke,
)
from efface.policy.retention_period import Period


@dataclass
class Count:
    """How many rows of one table were, or would be, removed, redacted and kept."""

    removed: int = 0
    redacted: int | None = None
    changed: int = 0
    kept: list[tuple[Retain, int, Any]] = field(default_factory=list)


def key_values(statements: PolicyStatements, key: tuple[Any, ...]) -> dict[str, Any]:
    """Return the parameters that find the subject's row."""
    return {f"subject_{n}": v for n, v in zip(statements.key_names, key, strict=True)}


def count(cursor: Cursor, table: TableStatements, people: ClosingSubjects) -> Count:
    """Return how many rows of *table* a closing would change now."""
    result = Count(kept=kept(cursor, table, people))
    if any(not isinstance(target.action, Retain) for target in table.targets):
        removed, redacted, unfinished = cursor.rows(table.counts, people.values)[0]
        edited = [edit for edit in edits(cursor, table, people) if not edit.unfinished]
        result.removed, result.redacted = removed, redacted
        result.changed = unfinished + len(edited)
    return result


def kept(
    cursor: Cursor, table: TableStatements, people: ClosingSubjects
) -> list[tuple[Retain, int, Any]]:
    """Return each `Retain` of *table* with the number of its rows and their latest start."""
    result = []
    for action, statement in table.kept:
        rows, *latest = cursor.rows(statement, people.values)[0]
        result.append((action, rows, latest[0] if latest else None))
    return result


def make_plan(
    cursor: Cursor,
    statements: PolicyStatements,
    key: tuple[Any, ...],
    fingerprint: Callable[[tuple[Any, ...]], str],
    today: date,
) -> Plan:
    """Return what closing this subject would do now.

    A closed account has an empty plan: closing it again changes nothing. *fingerprint* takes the
    primary key as the database has it.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = cursor.rows(statements.find, key_values(statements, key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    people = capture(cursor, statements, rows)
    steps: tuple[Step, ...] = ()
    if people.only.closed_at is None:
        counts = {table.name: count(cursor, table, people) for table in statements.tables}
        counts[""] = count(cursor, statements.own, people)
        steps = tuple(in_order(statements, counts, today))
    key = people.only.key
    shown = str(key[0]) if len(key) == 1 else str(key)
    return Plan(statements.table.fullname, shown, fingerprint(key), statements.digest, steps)


def preview(
    cursor: Cursor, statements: PolicyStatements, key: tuple[Any, ...], today: date
) -> tuple[Step, ...]:
    """Return the steps with the rows that links reach, without looking into any text.

    Their ``rows`` are therefore the most that may change. A closed account has none.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = cursor.rows(statements.find, key_values(statements, key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    people = capture(cursor, statements, rows, with_search_terms=False)
    if people.only.closed_at is not None:
        return ()
    counts = {"": Count(removed=1, redacted=1, changed=1)}
    for table in statements.tables:
        found = counts[table.name] = Count(kept=kept(cursor, table, people))
        if any(not isinstance(target.action, Retain) for target in table.targets):
            found.removed, found.redacted, _ = cursor.rows(table.counts, people.values)[0]
            found.changed = found.redacted or 0
    return tuple(in_order(statements, counts, today))


def in_order(
    statements: PolicyStatements, counts: Mapping[str, Count], today: date
) -> Iterator[Step]:
    """Yield the steps as a plan shows them: credentials first, the person's own row last.

    The person's own row is counted under no name.
    """
    for table in statements.shown:
        yield from steps(table, counts["" if table.own else table.name], today)


def steps(table: TableStatements, counted: Count, today: date) -> Iterator[Step]:
    """Yield what happens to the rows of one table, an action each; no-ops are said too."""
    shown = table.shown
    if table.delete is not None:
        word, gone = Revoke.word if table.revokes else Delete.word, counted.removed
        yield Step(
            table.name, word, shown.removed, (), (("*", "deleted"),), rows=gone, reached=gone
        )  # fmt: skip
    for action, rows, latest in counted.kept:
        yield Step(
            table.name, action.word, shown.retained, (), (("*", "kept"),),
            rows=0, reached=rows, until=term_end(action, today, latest),
            reason=f"{action.basis}: {action.reason}",
        )  # fmt: skip
    if table.redacts:
        yield Step(
            table.name, Redact.word, shown.redacted, shown.columns, shown.levels,
            rows=counted.changed, reached=counted.redacted,
        )  # fmt: skip


def term_end(action: Retain, closed_on: date, latest: Any) -> date:
    """Return the last day on which rows under *action* are kept."""
    start = closed_on
    if action.start == "calendar-year-end":
        start = date(closed_on.year, 12, 31)
    elif action.start != "closing" and latest is not None:
        start = latest.date() if isinstance(latest, datetime) else latest
    return Period.parse(action.period).after(start)
