"""Finalize one closure or a batch after its commit: the post-commit pass and the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from efface.eraser.call_context import CallContext, Key, RowsClosedAt
from efface.eraser.close_account import fill_in_reached
from efface.eraser.compiled_policy import CompiledPolicy
from efface.errors import (
    BatchError,
    ForeignClosingError,
    RetryError,
    UnrecognizedClosingError,
)
from efface.evidence.database_search import Search
from efface.evidence.receipt import BatchReceipt, Receipt, steps_json
from efface.execute import closing_order
from efface.plan.closing_subjects import (
    ClosingSubjects,
    as_utc,
    capture,
    closed_at_by_key,
    holds_identifier,
)
from efface.plan.cursor import Cursor
from efface.plan.dialect_sql import moment_bounds
from efface.plan.plan import Step
from efface.plan.policy_statements import PolicyStatements
from efface.plan.reused_values import reused_values


@dataclass(frozen=True)
class Finalized:
    """A finalized receipt, the steps of the post-commit pass, and the account's key."""

    receipt: Receipt
    steps: tuple[Step, ...] = ()
    key: Key | None = field(default=None, repr=False)
    """The primary key; None if the row is not the subject's any more, or nothing was done."""


def finalize_one(
    cursor: Cursor, compiled: CompiledPolicy, receipt: Receipt, context: CallContext
) -> Finalized:
    """Run the post-commit pass and the search for one closure.

    Raises:
        ForeignClosingError: the receipt is for another users' table than the policy's.
        UnrecognizedClosingError: the eraser's secret is not the one of the closure.
        StatementError: the database refused a statement.
    """
    if receipt.table != compiled.single.table.fullname:
        raise ForeignClosingError(receipt.table, compiled.single.table.fullname)
    latest = _latest(receipt, compiled.closings.receipt(cursor, receipt.reference))
    if _is_complete(latest, receipt):
        return Finalized(latest)
    # Search before locking anything: it takes long, and on SQLite it would block every writer.
    # If the post-commit pass changes a row, the search runs again.
    search = _search(cursor, compiled, receipt)
    steps: tuple[Step, ...] = ()
    # Everyone locks the closing before the user's row, so no two wait for each other. Another
    # worker may have finalized the closing while we waited.
    locked = compiled.closings.lock(cursor, [receipt.reference])
    latest = _latest(receipt, *(stored for stored, _ in locked))
    if _is_complete(latest, receipt):
        return Finalized(latest)
    subjects, rows = _lock_subject(cursor, compiled, receipt, context)
    if subjects is not None:
        steps = post_commit_pass(cursor, compiled.single, subjects, rows, receipt.closed_at)
    late = sum(step.rows for step in steps)
    if late:
        search = _search(cursor, compiled, receipt)
    elif search is None:
        # This process cannot search, but the other worker may have.
        search = latest.search
    finalized = replace(
        latest,
        # The steps of a batch count the rows of all its accounts, and these of one.
        steps=latest.steps if latest.together > 1 else fill_in_reached(latest.steps, steps),
        late=latest.late + late,
        finalized_at=context.now,
        search=search,
    )
    compiled.closings.finalize(cursor, [finalized.record()])
    return Finalized(finalized, steps, subjects.only.key if subjects is not None else None)


def _latest(receipt: Receipt, stored: str | None = None) -> Receipt:
    return Receipt.from_json(stored) if stored else receipt


def _is_complete(latest: Receipt, receipt: Receipt) -> bool:
    """Return whether finalizing *receipt* cannot add anything to the *latest* one."""
    return bool(latest.finalized_at and (latest.search or receipt.captured is None))


def _search(cursor: Cursor, compiled: CompiledPolicy, receipt: Receipt) -> Search | None:
    subjects, statements = receipt.captured, compiled.single
    if subjects is None:
        return None
    rows = cursor.rows(statements.find, statements.key_values(subjects.only.key))
    known = subjects.with_current_rows(statements, rows, receipt.closed_at)
    return compiled.search.search(cursor, known.values, known.only.search_terms)


def post_commit_pass(
    cursor: Cursor,
    statements: PolicyStatements,
    subjects: ClosingSubjects,
    rows: Sequence[tuple[Any, ...]],
    closed_at: datetime,
) -> tuple[Step, ...]:
    """Run the steps again, for the *subjects* as they were and as their *rows* are now."""
    steps: tuple[Step, ...] = ()
    renamed = [row for row in rows if holds_identifier(statements, row)]
    if renamed:
        # A writer waited on our lock and then wrote a new value into a subject's row.
        steps = closing_order.post_commit_pass(
            cursor, statements, capture(cursor, statements, renamed), closed_at.date()
        ).steps
    known = subjects.with_current_rows(statements, rows, closed_at)
    held = reused_values(cursor, statements, known).held
    known = known.without(statements, held)
    steps += closing_order.post_commit_pass(cursor, statements, known, closed_at.date()).steps
    if any(step.rows for step in steps) and reused_values(cursor, statements, subjects).held - held:
        # An account took over a value meanwhile, and some of these rows may be its own.
        raise RetryError(statements.table.fullname, "redact", "ReusedValue", "40001")
    return steps


def finalize_batch(
    cursor: Cursor, compiled: CompiledPolicy, batch: BatchReceipt, context: CallContext
) -> tuple[BatchReceipt, tuple[Step, ...]]:
    """Run the post-commit pass and the search for a batch, and return the steps, too.

    Raises:
        BatchError: another process closed the batch; finalize each receipt by itself.
    """
    subjects, statements = batch.captured, compiled.batch
    if subjects is None:
        raise BatchError.forgotten()
    keys = {f"subject_{statements.key_names[0]}": [subject.key[0] for subject in subjects.all]}
    search = _search_batch(cursor, compiled, batch, cursor.rows(statements.find, keys))
    locked = compiled.closings.lock(cursor, [each.reference for each in batch.receipts])
    rows = cursor.rows(statements.lock, keys)
    ours, kept = _still_closed(statements, subjects, rows, batch.closed_at)
    steps = post_commit_pass(cursor, statements, ours, kept, batch.closed_at) if ours.all else ()
    late = sum(step.rows for step in steps)
    if late:
        search = _search_batch(cursor, compiled, batch, cursor.rows(statements.find, keys))
    counted = fill_in_reached(batch.steps, steps)
    # Another worker may have finalized some of them, and counted late rows there.
    before = {
        receipt.reference: receipt.late
        for receipt in (Receipt.from_json(stored) for stored, at in locked if at is not None)
    }
    finalized = [
        replace(
            receipt,
            steps=counted,
            late=late + before.get(receipt.reference, 0),
            finalized_at=context.now,
            search=search,
        )
        for receipt in batch.receipts
        # An account that was closed before keeps its first receipt.
        if not receipt.already_closed
    ]
    written = steps_json(counted)
    compiled.closings.finalize(cursor, [receipt.record(written) for receipt in finalized])
    by_reference = {receipt.reference: receipt for receipt in finalized}
    whole = replace(
        batch,
        steps=counted,
        receipts=tuple(by_reference.get(each.reference, each) for each in batch.receipts),
        finalized_at=context.now,
        late=late,
        search=search,
    )
    return whole, steps


def _still_closed(
    statements: PolicyStatements,
    subjects: ClosingSubjects,
    rows: Sequence[tuple[Any, ...]],
    closed_at: datetime,
) -> tuple[ClosingSubjects, Sequence[tuple[Any, ...]]]:
    """Return the *subjects* whose rows are still theirs, because databases reuse keys."""
    state = closed_at_by_key(statements, rows)
    if statements.policy.removes_subject or statements.deleted_at is None:
        ours = [subject for subject in subjects.all if subject.key not in state]
    else:
        ours = [subject for subject in subjects.all if state.get(subject.key) == closed_at]
    here = {subject.key for subject in ours}
    kept = [row for row, key in zip(rows, state, strict=True) if key in here]
    return ClosingSubjects(statements, ours), kept


def _search_batch(
    cursor: Cursor, compiled: CompiledPolicy, batch: BatchReceipt, rows: Sequence[tuple[Any, ...]]
) -> Search | None:
    subjects = batch.captured
    if subjects is None:
        return None
    known = subjects.with_current_rows(compiled.batch, rows, batch.closed_at)
    return compiled.batch_search.search_many(cursor, known)


def _lock_subject(
    cursor: Cursor, compiled: CompiledPolicy, receipt: Receipt, context: CallContext
) -> tuple[ClosingSubjects | None, Sequence[tuple[Any, ...]]]:
    """Return the subject of *receipt* and its locked row, or None if it has another user.

    Databases reuse keys, and the steps must never run on the account of a new user.
    """
    statements, subjects = compiled.single, receipt.captured
    key = subjects.only.key if subjects else _find_key(cursor, compiled, receipt, context)
    if key is None:
        return None, ()
    rows = cursor.rows(statements.lock, statements.key_values(key))
    if statements.deleted_at is None or statements.policy.removes_subject:
        return (None if rows else subjects), ()
    if not rows:
        return None, ()
    (closed_at,) = closed_at_by_key(statements, rows).values()
    if closed_at != receipt.closed_at:
        return None, ()
    return subjects or capture(cursor, statements, rows, with_search_terms=False), rows


def _find_key(
    cursor: Cursor, compiled: CompiledPolicy, receipt: Receipt, context: CallContext
) -> Key | None:
    """Return the primary key for the receipt's fingerprint, or None if the row is deleted.

    Only rows with the receipt's ``closed_at`` can have it.

    Raises:
        UnrecognizedClosingError: some of them have no recorded closing. With another secret, every
            fingerprint differs, and an existing row would look deleted.
    """
    statements = compiled.single
    if statements.deleted_at is None or statements.policy.removes_subject:
        return None
    moment = context.rows_closed_at.get(receipt.closed_at)
    if moment is None:
        moment = _find_rows_closed_at(cursor, compiled, receipt.closed_at, context)
        context.rows_closed_at[receipt.closed_at] = moment
    key = moment.keys.get(receipt.subject)
    if key is None and moment.unrecognized:
        raise UnrecognizedClosingError(statements.table.fullname, moment.unrecognized)
    return key


def _find_rows_closed_at(
    cursor: Cursor, compiled: CompiledPolicy, closed_at: datetime, context: CallContext
) -> RowsClosedAt:
    found = cursor.rows(compiled.single.find_closed_at, moment_bounds("now", closed_at))
    ours = [tuple(key) for *key, at in found if as_utc(at) == closed_at]
    keys = {context.fingerprint(key): key for key in ours}
    recorded = compiled.closings.count_recorded(cursor, list(keys), closed_at) if keys else 0
    return RowsClosedAt(keys, len(keys) - recorded)
