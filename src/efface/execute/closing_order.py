"""STAGE 4 · the order in which a closure runs, inside the caller's transaction.

1. Lock the subject's row, so that two closures of the same account cannot both begin.
2. Delete credentials, then set ``deleted_at``: from here on, the user cannot log in.
3. Write the other tables, deepest first.
4. Write the subject's own row. Matches by value need it, so it is after them.
5. Write owned rows (`OwnedBy`), when nothing references them any more.
6. Carry out the rules again for what the database's triggers have written meanwhile.
7. Check deferred foreign keys, so that the caller's commit does not fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from efface.errors import ConstraintError, RowCountError, UnknownSubjectError
from efface.plan.closing_subjects import ClosingSubjects, capture
from efface.plan.cursor import Cursor
from efface.plan.plan import Step
from efface.plan.planner import RowCounts, count_retained, count_rows, ordered_steps
from efface.plan.policy_statements import PolicyStatements
from efface.plan.row_edits import Edit, find_edits
from efface.plan.table_statements import TableStatements
from efface.policy.actions import Delete, Revoke

OnProgress = Callable[[int, int], None]

ATTEMPTS = 5
"""How often to write a table if its new placeholders are already in use."""
PASSES = 3
"""How often to write what triggers write: one can start another, as a history of a history does."""


@dataclass(frozen=True)
class Outcome:
    """The steps of a closure, with the numbers of rows that the database reports."""

    steps: tuple[Step, ...]

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps)


@dataclass
class _OwnedRows:
    """The rows of an owned table, found before the rows that reference them change."""

    keys: list[dict[str, Any]] = field(default_factory=list, repr=False)
    edits: list[Edit] = field(default_factory=list)


def lock(cursor: Cursor, statements: PolicyStatements, key: tuple[Any, ...]) -> ClosingSubjects:
    """Lock the row with this *key* and return the subject with its values.

    Raises:
        UnknownSubjectError: there is no such row.
        RowCountError: there is one, and a trigger of the database keeps it from being written.
    """
    rows = cursor.rows(statements.lock, statements.key_values(key))
    if not rows:
        found = cursor.rows(statements.find, statements.key_values(key))
        cursor.expect(statements.lock, 0, len(found))
        raise UnknownSubjectError(statements.table.fullname)
    return capture(cursor, statements, rows)


def close(
    cursor: Cursor,
    statements: PolicyStatements,
    subjects: ClosingSubjects,
    now: datetime,
    *,
    keep_deleted_at: bool = False,
    has_triggers: bool = False,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Carry out every step for the locked *subjects* and return the outcome.

    Args:
        cursor: The cursor in the caller's transaction.
        statements: The policy's statements.
        subjects: One subject or a batch, captured under the lock.
        now: The moment to write into ``deleted_at``.
        keep_deleted_at: Leaves ``deleted_at`` as it is, to adopt an account closed before.
        has_triggers: Whether triggers may write old values elsewhere, as into a table of history.
        on_progress: Takes the numbers of finished and of all tables, after each table.
    """
    tables = (*statements.credentials, *statements.other_tables)
    total = len(tables) + 1 + bool(statements.owned_tables)
    owned = _find_owned(cursor, statements, subjects)
    counts: dict[str, RowCounts] = {}

    def carry_out(table: TableStatements, name: str) -> None:
        counts[name] = _carry_out(cursor, table, subjects)
        _report(on_progress, len(counts), total)

    for table in statements.credentials:
        carry_out(table, table.name)
    if statements.deleted_at and not keep_deleted_at:
        rows = cursor.run(statements.set_deleted_at, {**subjects.values, "now": now})
        cursor.expect(statements.set_deleted_at, rows, len(subjects.all))
    for table in statements.other_tables:
        carry_out(table, table.name)
    carry_out(statements.subject_row, "")
    _expect_subject_rows(cursor, statements.subject_row, counts[""], len(subjects.all))
    # Each subject has one row, whatever the UPDATE has changed in it.
    counts[""].redacted = len(subjects.all)
    if statements.owned_tables:
        _carry_out_owned(cursor, statements, subjects, owned, counts)
        _report(on_progress, total, total)
    if has_triggers:
        _carry_out_again(cursor, statements, subjects, counts)
    if statements.early_check is not None:
        cursor.check(statements.early_check)
    return Outcome(tuple(ordered_steps(statements, counts, now.date())))


def _expect_subject_rows(
    cursor: Cursor, table: TableStatements, done: RowCounts, subjects: int
) -> None:
    # A step before may have deleted the row, as one on a view of the users' table does.
    if table.delete is not None:
        cursor.expect(table.delete, done.removed, subjects)
    elif table.update is not None:
        cursor.expect(table.update, done.changed, subjects)


def _report(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)


def post_commit_pass(
    cursor: Cursor, statements: PolicyStatements, subjects: ClosingSubjects, today: date
) -> Outcome:
    """Carry out the steps again for rows that still have old values.

    A writer that waited on our lock may have written after the commit. The outcome has the number
    of these late rows, and for redacted tables the number of all rows that were found.
    """
    owned = _find_owned(cursor, statements, subjects)
    counts = {"": RowCounts()}
    for table in (*statements.credentials, *statements.other_tables):
        done = counts[table.name] = _carry_out(cursor, table, subjects)
        if table.redacts:
            done.redacted = count_rows(cursor, table, subjects).redacted
    if statements.subject_row.redacts:
        counts[""] = _carry_out(cursor, statements.late_subject_row, subjects)
    _carry_out_owned(cursor, statements, subjects, owned, counts)
    return Outcome(tuple(ordered_steps(statements, counts, today)))


def _carry_out_again(
    cursor: Cursor,
    statements: PolicyStatements,
    subjects: ClosingSubjects,
    counts: dict[str, RowCounts],
) -> None:
    """Carry out the rules for rows that triggers have written since, and add their numbers.

    Raises:
        RowCountError: a trigger takes changes back, or writes deleted rows again.
    """
    tables = (*statements.credentials, *statements.other_tables)
    passes, more = 0, True
    while more and passes < PASSES:
        passes += 1
        owned = _find_owned(cursor, statements, subjects)
        late = {table.name: _carry_out(cursor, table, subjects) for table in tables}
        _carry_out_owned(cursor, statements, subjects, owned, late)
        for name, done in late.items():
            counts[name].removed += done.removed
            counts[name].changed += done.changed
        more = any(done.removed or done.changed for done in late.values())
    for table in tables:
        done, left = counts[table.name], count_rows(cursor, table, subjects)
        if left.removed:
            meant = done.removed + left.removed
            raise RowCountError(table.name, "delete from", done.removed, meant)
        if late[table.name].changed < left.changed:
            raise RowCountError(table.name, "redact", done.changed, done.changed + left.changed)
        # A trigger derives these values from others, as an index of words: each pass wrote them.
        done.changed -= passes * left.changed


def _carry_out(cursor: Cursor, table: TableStatements, subjects: ClosingSubjects) -> RowCounts:
    if not table.may_collide:
        return _write(cursor, table, subjects)
    for _ in range(ATTEMPTS - 1):
        try:
            with cursor.savepoint(table.name):
                return _write(cursor, table, subjects)
        except ConstraintError:
            # Another row has the placeholder; the next try generates others.
            continue
    return _write(cursor, table, subjects)


def _write(cursor: Cursor, table: TableStatements, subjects: ClosingSubjects) -> RowCounts:
    if table.lock_rows is not None:
        cursor.rows(table.lock_rows, subjects.values)
    done = RowCounts(kept=count_retained(cursor, table, subjects))
    # Read before the static columns change, so that a row with both is counted once.
    found = find_edits(cursor, table, subjects, locked=True)
    if table.delete is not None:
        for release in table.releases:
            cursor.run(release, subjects.values)
        done.removed = cursor.run(table.delete, subjects.values)
    if found:
        # Write before the other rows: PostgreSQL's row address changes with each UPDATE.
        table.rewrite.run(cursor, [edit.parameters() for edit in found], subjects.values)
        done.changed = len(found)
    # The static columns of those rows have been written with them.
    if table.update is not None and not table.is_subject_row:
        done.changed += cursor.run(table.update, subjects.values)
    elif table.update is not None and len(found) < len(subjects.all):
        # The subjects' own rows are always written, whatever they look like.
        done.changed = cursor.run(table.update, subjects.values)
    return done


def _find_owned(
    cursor: Cursor, statements: PolicyStatements, subjects: ClosingSubjects
) -> dict[str, _OwnedRows]:
    found = {}
    for table in statements.owned_tables:
        # Before anything changes, because these rows are found by the rows that reference them.
        rows = cursor.rows(table.keys, subjects.values)
        found[table.name] = _OwnedRows(
            [{f"key_{i}": part for i, part in enumerate(key)} for key in rows],
            find_edits(cursor, table, subjects, locked=True),
        )
    return found


def _carry_out_owned(
    cursor: Cursor,
    statements: PolicyStatements,
    subjects: ClosingSubjects,
    owned: dict[str, _OwnedRows],
    counts: dict[str, RowCounts],
) -> None:
    for table in statements.owned_tables:
        found, done = owned[table.name], RowCounts()
        if found.edits:
            table.rewrite.run(cursor, [edit.parameters() for edit in found.edits], subjects.values)
            done.changed = len(found.edits)
        written = {edit.key for edit in found.edits}
        keys = [key for key in found.keys if tuple(key.values()) not in written]
        if keys and table.write_owned is not None:
            table.write_owned.run(cursor, keys, subjects.values)
            if table.has(Delete, Revoke):
                done.removed = len(keys)
            else:
                done.changed += len(keys)
        counts[table.name] = done
