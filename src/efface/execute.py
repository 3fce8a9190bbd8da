"""STAGE 4 · lock, recheck, run, count: one closing inside the caller's transaction.

The order is the design. The lock comes first, so that two closings of one person cannot both
begin. Credentials go and the tombstone is set before anything else. Then the tables, deepest
first; the person's own row last, because links by value are found through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from efface.errors import UnknownSubjectError
from efface.plan.driver import Driver
from efface.plan.planner import (
    Captured,
    Count,
    capture,
    count,
    in_order,
    kept,
    key_values,
    mentions,
)
from efface.plan.program import Program, TableProgram
from efface.plan.steps import Step
from efface.policy.actions import Revoke


@dataclass(frozen=True)
class Outcome:
    """What was carried out, step by step, as counted by the database."""

    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps)


def lock(driver: Driver, program: Program, key: tuple[object, ...]) -> Captured:
    """Lock the subject's row and return what it says, before anything changes.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = driver.rows(program.lock, key_values(program, key))
    if not rows:
        raise UnknownSubjectError(program.table.fullname)
    return capture(driver, program, rows[0])


def close(driver: Driver, program: Program, person: Captured, now: datetime) -> Outcome:
    """Carry out every step for the locked *person* and return what it did.

    The tombstone of a row that somebody marked by hand stays as it is.
    """
    credentials = [table for table in program.tables if table.has(Revoke)]
    others = [table for table in program.tables if not table.has(Revoke)]
    counts = [(table, _carry_out(driver, table, person)) for table in credentials]
    if program.tombstone and person.closed_at is None:
        driver.run(program.mark, {**person.values, "now": now})
    counts += [(table, _carry_out(driver, table, person)) for table in (*others, program.own)]
    return Outcome(_steps(program, counts, now.date()))


def again(driver: Driver, program: Program, person: Captured, today: date) -> Outcome:
    """Carry out the steps once more, except on the subject's own row.

    A writer that was waiting on our lock may have written after the commit. The result says how
    many rows that were, and now how many rows each link reaches.
    """
    counts = []
    for table in program.tables:
        done = _carry_out(driver, table, person)
        if table.redacts:
            done.redacted = count(driver, table, person).redacted
        counts.append((table, done))
    return Outcome(_steps(program, counts, today))


def _carry_out(driver: Driver, table: TableProgram, person: Captured) -> Count:
    done = Count(kept=kept(driver, table, person))
    # Read before the static columns change, so that a row with both kinds is counted once.
    edits = mentions(driver, table, person, locked=True)
    if table.delete is not None:
        done.removed = driver.run(table.delete, person.values)
    if table.update is not None:
        done.changed = driver.run(table.update, person.values)
    if edits:
        driver.run_many(table.rewrite, [_bound(key, new) for key, _, new in edits])
        done.changed += sum(1 for _, unfinished, _ in edits if not unfinished)
    return done


def _bound(key: Sequence[object], new: Sequence[object]) -> dict[str, object]:
    return {
        **{f"key_{i}": value for i, value in enumerate(key)},
        **{f"new_{i}": value for i, value in enumerate(new)},
    }


def _steps(
    program: Program, counts: list[tuple[TableProgram, Count]], today: date
) -> tuple[Step, ...]:
    """Return the steps in the order in which a plan shows them."""
    position = {table.table.fullname: i for i, table in enumerate(program.tables)}
    ordered = sorted(
        counts, key=lambda each: (each[0].own, position.get(each[0].table.fullname, 0))
    )
    return tuple(in_order(ordered, today))
