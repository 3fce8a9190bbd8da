"""STAGE 4 · lock, recheck, run, count: one closing inside the caller's transaction.

The order is the design. The lock comes first, so that two closings of one person cannot both
begin. Credentials go and the tombstone is set before anything else. Then the tables, deepest
first, the person's own row after them, because links by value are found through it. Rows that
the person's rows referred to come last, when nothing refers to them any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from efface.errors import ConflictError, UnknownSubjectError
from efface.plan.driver import Driver
from efface.plan.edits import Edit, edits
from efface.plan.people import People, capture
from efface.plan.planner import Count, count, in_order, kept, key_values
from efface.plan.program import Program
from efface.plan.steps import Step
from efface.plan.table import TableProgram

Watch = Callable[[int, int], None]

TRIES = 5
"""How often a table is written when a placeholder of few digits is already taken."""


@dataclass(frozen=True)
class Outcome:
    """What was carried out, step by step, as counted by the database."""

    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps)


@dataclass
class _Owned:
    """Rows of an owned table, found while the references to them are still there."""

    keys: list[dict[str, Any]] = field(default_factory=list, repr=False)
    edits: list[Edit] = field(default_factory=list)


def lock(driver: Driver, program: Program, key: tuple[Any, ...]) -> People:
    """Lock the row with this *key* and return what it says, before anything changes.

    Raises:
        UnknownSubjectError: there is no such row.
    """
    rows = driver.rows(program.lock, key_values(program, key))
    if not rows:
        raise UnknownSubjectError(program.table.fullname)
    return capture(driver, program, rows)


def close(
    driver: Driver,
    program: Program,
    people: People,
    now: datetime,
    *,
    marked: bool = False,
    watch: Watch | None = None,
) -> Outcome:
    """Carry out every step for the locked *people* and return what it did.

    The tombstone of a row that somebody has *marked* by hand stays as it is. *watch* is told after
    each table how many of them are done, and of how many.
    """
    total = len(program.credentials) + len(program.others) + 1 + bool(program.owned)
    owned = _find_owned(driver, program, people)
    counts: dict[str, Count] = {}
    for table in program.credentials:
        counts[table.name] = _carry_out(driver, table, people)
        _tell(watch, len(counts), total)
    if program.tombstone and not marked:
        driver.run(program.mark, {**people.values, "now": now})
    for table in program.others:
        counts[table.name] = _carry_out(driver, table, people)
        _tell(watch, len(counts), total)
    own = counts[""] = _carry_out(driver, program.own, people)
    own.redacted = len(people.persons)
    _tell(watch, len(counts), total)
    if program.owned:
        _carry_out_owned(driver, program, owned, counts)
        _tell(watch, total, total)
    if program.early_check is not None:
        driver.check(program.early_check)
    return Outcome(tuple(in_order(program, counts, now.date())))


def _tell(watch: Watch | None, done: int, total: int) -> None:
    if watch is not None:
        watch(done, total)


def again(driver: Driver, program: Program, people: People, today: date) -> Outcome:
    """Carry out the steps once more where they are not done.

    A writer that was waiting on our lock may have written after the commit, also to the subject's
    own row. The result says how many rows that were, and now how many rows each link reaches.
    """
    owned = _find_owned(driver, program, people)
    counts = {"": Count()}
    for table in (*program.credentials, *program.others):
        done = counts[table.name] = _carry_out(driver, table, people)
        if table.redacts:
            done.redacted = count(driver, table, people).redacted
    if program.own.redacts:
        counts[""] = _carry_out(driver, program.late, people)
    _carry_out_owned(driver, program, owned, counts)
    return Outcome(tuple(in_order(program, counts, today)))


def _carry_out(driver: Driver, table: TableProgram, people: People) -> Count:
    if not table.may_collide:
        return _write(driver, table, people)
    for _ in range(TRIES - 1):
        try:
            with driver.savepoint(table.name):
                return _write(driver, table, people)
        except ConflictError:
            # The placeholder was taken; the next one is another.
            continue
    return _write(driver, table, people)


def _write(driver: Driver, table: TableProgram, people: People) -> Count:
    done = Count(kept=kept(driver, table, people))
    # Read before the static columns change, so that a row with both kinds is counted once.
    found = edits(driver, table, people, locked=True)
    if table.delete is not None:
        done.removed = driver.run(table.delete, people.values)
    if found:
        # Before the static columns: PostgreSQL's address of a row changes with every write.
        driver.run_many(table.rewrite, [edit.parameters() for edit in found])
        done.changed = sum(1 for edit in found if not edit.unfinished)
    if table.update is not None:
        done.changed += driver.run(table.update, people.values)
    return done


def _find_owned(driver: Driver, program: Program, people: People) -> dict[str, _Owned]:
    found = {}
    for table in program.owned:
        rows = driver.rows(table.keys, people.values)
        found[table.name] = _Owned(
            [{f"key_{i}": part for i, part in enumerate(key)} for key in rows],
            edits(driver, table, people, locked=True),
        )
    return found


def _carry_out_owned(
    driver: Driver, program: Program, owned: dict[str, _Owned], counts: dict[str, Count]
) -> None:
    for table in program.owned:
        found, done = owned[table.name], Count()
        if found.edits:
            driver.run_many(table.rewrite, [edit.parameters() for edit in found.edits])
            done.changed = sum(1 for edit in found.edits if not edit.unfinished)
        statement = table.delete or table.update
        if found.keys and statement is not None:
            driver.run_many(statement, found.keys)
            if table.delete is not None:
                done.removed = len(found.keys)
            else:
                done.changed += len(found.keys)
        counts[table.name] = done
