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

from efface.errors import ConstraintError, UnknownSubjectError
from efface.plan.closing_subjects import ClosingSubjects, capture
from efface.plan.cursor import Cursor
from efface.plan.plan import Step
from efface.plan.planner import Count, count, in_order, kept, key_values
from efface.plan.policy_statements import PolicyStatements
from efface.plan.row_edits import Edit, edits
from efface.plan.table_statements import TableStatements

OnProgress = Callable[[int, int], None]

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


def lock(cursor: Cursor, statements: PolicyStatements, key: tuple[Any, ...]) -> ClosingSubjects:
    """Lock the row with this *key* and return what it says, before anything changes.

    Raises:
        UnknownSubjectError: there is no such row.
    """
    rows = cursor.rows(statements.lock, key_values(statements, key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    return capture(cursor, statements, rows)


def close(
    cursor: Cursor,
    statements: PolicyStatements,
    people: ClosingSubjects,
    now: datetime,
    *,
    marked: bool = False,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Carry out every step for the locked *people* and return what it did.

    The tombstone of a row that somebody has *marked* by hand stays as it is. *watch* is told after
    each table how many of them are done, and of how many.
    """
    total = len(statements.credentials) + len(statements.others) + 1 + bool(statements.owned)
    owned = _find_owned(cursor, statements, people)
    counts: dict[str, Count] = {}
    for table in statements.credentials:
        counts[table.name] = _carry_out(cursor, table, people)
        _tell(on_progress, len(counts), total)
    if statements.deleted_at and not marked:
        written = cursor.run(statements.rule, {**people.values, "now": now})
        cursor.expect(statements.rule, written, len(people.persons))
    for table in statements.others:
        counts[table.name] = _carry_out(cursor, table, people)
        _tell(on_progress, len(counts), total)
    own = counts[""] = _carry_out(cursor, statements.own, people)
    _expect_own_rows(cursor, statements.own, own, len(people.persons))
    own.redacted = len(people.persons)
    _tell(on_progress, len(counts), total)
    if statements.owned:
        _carry_out_owned(cursor, statements, owned, counts)
        _tell(on_progress, total, total)
    if statements.early_check is not None:
        cursor.check(statements.early_check)
    return Outcome(tuple(in_order(statements, counts, now.date())))


def _expect_own_rows(cursor: Cursor, own: TableStatements, done: Count, persons: int) -> None:
    """Make sure that each user's own row was written: another step may have taken it along."""
    if own.delete is not None:
        cursor.expect(own.delete, done.removed, persons)
    elif own.update is not None:
        cursor.expect(own.update, done.changed, persons)


def _tell(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)


def post_commit_pass(
    cursor: Cursor, statements: PolicyStatements, people: ClosingSubjects, today: date
) -> Outcome:
    """Carry out the steps once more where they are not done.

    A writer that was waiting on our lock may have written after the commit, also to the subject's
    own row. The result says how many rows that were, and now how many rows each link reaches.
    """
    owned = _find_owned(cursor, statements, people)
    counts = {"": Count()}
    for table in (*statements.credentials, *statements.others):
        done = counts[table.name] = _carry_out(cursor, table, people)
        if table.redacts:
            done.redacted = count(cursor, table, people).redacted
    if statements.own.redacts:
        counts[""] = _carry_out(cursor, statements.late, people)
    _carry_out_owned(cursor, statements, owned, counts)
    return Outcome(tuple(in_order(statements, counts, today)))


def _carry_out(cursor: Cursor, table: TableStatements, people: ClosingSubjects) -> Count:
    if not table.may_collide:
        return _write(cursor, table, people)
    for _ in range(TRIES - 1):
        try:
            with cursor.savepoint(table.name):
                return _write(cursor, table, people)
        except ConstraintError:
            # The placeholder was taken; the next one is another.
            continue
    return _write(cursor, table, people)


def _write(cursor: Cursor, table: TableStatements, people: ClosingSubjects) -> Count:
    done = Count(kept=kept(cursor, table, people))
    # Read before the static columns change, so that a row with both kinds is counted once.
    found = edits(cursor, table, people, locked=True)
    if table.delete is not None:
        done.removed = cursor.run(table.delete, people.values)
    if found:
        # Before the static columns: PostgreSQL's address of a row changes with every write.
        cursor.run_by_key(table.rewrite, [edit.parameters() for edit in found])
        done.changed = sum(1 for edit in found if not edit.unfinished)
    if table.update is not None:
        done.changed += cursor.run(table.update, people.values)
    return done


def _find_owned(
    cursor: Cursor, statements: PolicyStatements, people: ClosingSubjects
) -> dict[str, _Owned]:
    found = {}
    for table in statements.owned:
        rows = cursor.rows(table.keys, people.values)
        found[table.name] = _Owned(
            [{f"key_{i}": part for i, part in enumerate(key)} for key in rows],
            edits(cursor, table, people, locked=True),
        )
    return found


def _carry_out_owned(
    cursor: Cursor, statements: PolicyStatements, owned: dict[str, _Owned], counts: dict[str, Count]
) -> None:
    for table in statements.owned:
        found, done = owned[table.name], Count()
        if found.edits:
            cursor.run_by_key(table.rewrite, [edit.parameters() for edit in found.edits])
            done.changed = sum(1 for edit in found.edits if not edit.unfinished)
        statement = table.delete or table.update
        if found.keys and statement is not None:
            cursor.run_by_key(statement, found.keys)
            if table.delete is not None:
                done.removed = len(found.keys)
            else:
                done.changed += len(found.keys)
        counts[table.name] = done
