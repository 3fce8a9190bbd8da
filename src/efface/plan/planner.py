"""policy + graph + counts → Plan: reads the database and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from efface.errors import UnknownSubjectError
from efface.plan.driver import Driver
from efface.plan.edits import edits
from efface.plan.people import People, capture
from efface.plan.program import Program
from efface.plan.steps import Plan, Step
from efface.plan.table import TableProgram
from efface.policy.actions import (
    Delete,
    Redact,
    Retain,
    Revoke,
)
from efface.policy.period import Period


@dataclass
class Count:
    """How many rows of one table were, or would be, removed, redacted and kept."""

    removed: int = 0
    redacted: int | None = None
    changed: int = 0
    kept: list[tuple[Retain, int, Any]] = field(default_factory=list)


def key_values(program: Program, key: tuple[Any, ...]) -> dict[str, Any]:
    """Return the parameters that find the subject's row."""
    return {f"subject_{n}": v for n, v in zip(program.key_names, key, strict=True)}


def count(driver: Driver, table: TableProgram, people: People) -> Count:
    """Return how many rows of *table* a closing would change now."""
    result = Count(kept=kept(driver, table, people))
    if any(not isinstance(target.action, Retain) for target in table.targets):
        removed, redacted, unfinished = driver.rows(table.counts, people.values)[0]
        edited = [edit for edit in edits(driver, table, people) if not edit.unfinished]
        result.removed, result.redacted = removed, redacted
        result.changed = unfinished + len(edited)
    return result


def kept(driver: Driver, table: TableProgram, people: People) -> list[tuple[Retain, int, Any]]:
    """Return each `Retain` of *table* with the number of its rows and their latest start."""
    result = []
    for action, statement in table.kept:
        rows, *latest = driver.rows(statement, people.values)[0]
        result.append((action, rows, latest[0] if latest else None))
    return result


def make_plan(
    driver: Driver,
    program: Program,
    key: tuple[Any, ...],
    fingerprint: str,
    today: date,
) -> Plan:
    """Return what closing this subject would do now.

    A closed account has an empty plan: closing it again changes nothing.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = driver.rows(program.find, key_values(program, key))
    if not rows:
        raise UnknownSubjectError(program.table.fullname)
    people = capture(driver, program, rows)
    steps: tuple[Step, ...] = ()
    if people.only.closed_at is None:
        counts = {table.name: count(driver, table, people) for table in program.tables}
        counts[""] = count(driver, program.own, people)
        steps = tuple(in_order(program, counts, today))
    shown = str(key[0]) if len(key) == 1 else str(key)
    return Plan(program.table.fullname, shown, fingerprint, program.digest, steps)


def reached(
    driver: Driver, program: Program, key: tuple[Any, ...], today: date
) -> tuple[Step, ...]:
    """Return the steps with the rows that links reach, without looking into any text.

    Their ``rows`` are therefore the most that may change. A closed account has none.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = driver.rows(program.find, key_values(program, key))
    if not rows:
        raise UnknownSubjectError(program.table.fullname)
    people = capture(driver, program, rows, with_needles=False)
    if people.only.closed_at is not None:
        return ()
    counts = {"": Count(removed=1, redacted=1, changed=1)}
    for table in program.tables:
        found = counts[table.name] = Count(kept=kept(driver, table, people))
        if any(not isinstance(target.action, Retain) for target in table.targets):
            found.removed, found.redacted, _ = driver.rows(table.counts, people.values)[0]
            found.changed = found.redacted or 0
    return tuple(in_order(program, counts, today))


def in_order(program: Program, counts: Mapping[str, Count], today: date) -> Iterator[Step]:
    """Yield the steps as a plan shows them: credentials first, the person's own row last.

    The person's own row is counted under no name.
    """
    for table in program.shown:
        yield from steps(table, counts["" if table.own else table.name], today)


def steps(table: TableProgram, counted: Count, today: date) -> Iterator[Step]:
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
            because=f"{action.basis}: {action.because}",
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
