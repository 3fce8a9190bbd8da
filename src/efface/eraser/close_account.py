"""Close one account or a batch: from the lock to the recorded receipt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from efface.eraser.call_context import CallContext, Key
from efface.eraser.compiled_policy import CompiledPolicy
from efface.errors import (
    ActorIdentifiesUserError,
    ForeignPlanError,
    StalePlanError,
    UnknownSubjectError,
    UnrecordedClosingError,
)
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.execute import closing_order
from efface.plan.closing_subjects import ClosingSubjects, capture, closed_at_by_key
from efface.plan.cursor import Cursor
from efface.plan.plan import Plan, Step
from efface.plan.planner import make_plan
from efface.plan.policy_statements import PolicyStatements


def close_one(
    cursor: Cursor,
    compiled: CompiledPolicy,
    key: Key,
    context: CallContext,
    *,
    plan: Plan | None = None,
    on_progress: closing_order.OnProgress | None = None,
    adopting: bool = False,
) -> Receipt:
    """Close one account and return its receipt, for `Eraser.close_account` and `Eraser.adopt`.

    *adopting* accepts an account with a ``deleted_at`` and no receipt, and keeps its date.
    """
    statements = compiled.single
    subjects = closing_order.lock(cursor, statements, key)
    # As the database spells the key, because records have one spelling.
    key, closed_at = subjects.only.key, subjects.only.closed_at
    if closed_at is not None:
        found = _first_receipts(cursor, compiled, {key: closed_at}, context, adopting=adopting)
        if found:
            return found[key]
    now = closed_at or context.now
    has_triggers = compiled.databases.require_rules(cursor.connection)
    reject_identifying(context, subjects)
    # Under the lock: the answer may have changed since the page was rendered.
    overridden = _require_unblocked(context, subjects) if closed_at is None else None
    # Counted under the lock, so that nothing changes between this check and the closing.
    known = _recheck(cursor, statements, key, plan, replace(context, now=now)) if plan else ()
    options = {"keep_deleted_at": closed_at is not None, "has_triggers": has_triggers}
    outcome = closing_order.close(
        cursor, statements, subjects, now, **options, on_progress=on_progress
    )
    receipt = Receipt(
        reference=context.reference(),
        table=statements.table.fullname,
        subject=context.fingerprint(key),
        policy=statements.digest,
        actor=context.actor,
        closed_at=now,
        steps=fill_in_reached(outcome.steps, known),
        overridden=overridden,
    )
    compiled.closings.add(cursor, receipt.record())
    return receipt.with_captured(subjects)


def find_receipt(
    cursor: Cursor, compiled: CompiledPolicy, key: Key, fingerprint: Callable[[Key], str]
) -> Receipt | None:
    """Return the receipt of a closed account, or None if the account is open or has none.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    statements = compiled.single
    rows = cursor.rows(statements.find, statements.key_values(key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    ((found, closed_at),) = closed_at_by_key(statements, rows).items()
    if closed_at is None:
        return None
    first = compiled.closings.receipt_for(cursor, fingerprint(found), closed_at)
    return Receipt.from_json(first) if first is not None else None


def is_recorded(
    cursor: Cursor,
    compiled: CompiledPolicy,
    fingerprint: Callable[[Key], str],
    key: Key,
    closed_at: datetime,
) -> bool:
    """Return whether Efface closed the account at that moment, and not something else."""
    return compiled.closings.receipt_for(cursor, fingerprint(key), closed_at) is not None


def close_many(
    cursor: Cursor, compiled: CompiledPolicy, keys: Sequence[Key], context: CallContext
) -> BatchReceipt:
    """Close a batch of accounts; accounts closed before have their first receipts.

    `Eraser.close_accounts` documents arguments and errors.
    """
    statements = compiled.batch
    name = statements.key_names[0]
    rows = cursor.rows(statements.lock, {f"subject_{name}": [key[0] for key in keys]})
    by_key = {(row[0],): row for row in rows}
    keys = _find_stored_keys(cursor, compiled.single, keys, by_key)
    closed = {key: at for key, at in closed_at_by_key(statements, rows).items() if at is not None}
    first_receipts = _first_receipts(cursor, compiled, closed, context)
    opened = [by_key[key] for key in keys if key not in closed]
    steps: tuple[Step, ...] = ()
    new: dict[Key, Receipt] = {}
    subjects = capture(cursor, statements, opened) if opened else None
    if subjects is not None:
        has_triggers = compiled.databases.require_rules(cursor.connection)
        reject_identifying(context, subjects)
        overridden = _require_unblocked(context, subjects)
        if len(opened) > 1 and context.blockers and context.blockers.everywhere:
            overridden = _require_unblocked_in_turn(cursor, compiled, opened, context) or overridden
        steps = closing_order.close(
            cursor, statements, subjects, context.now, has_triggers=has_triggers
        ).steps
        new = {
            subject.key: Receipt(
                reference=context.reference(),
                table=statements.table.fullname,
                subject=context.fingerprint(subject.key),
                policy=statements.digest,
                actor=context.actor,
                closed_at=context.now,
                steps=steps,
                together=len(opened),
                overridden=overridden,
            )
            for subject in subjects.all
        }
        made = list(new.values())
        paired_values = [(receipt.reference, receipt.subject) for receipt in made]
        compiled.closings.add_batch(cursor, made[0].record(), paired_values)
    receipts = tuple(new.get(key) or first_receipts[key] for key in keys)
    batch = BatchReceipt(context.actor, context.now, steps, receipts)
    return batch.with_captured(subjects) if subjects is not None else batch


def _find_stored_keys(
    cursor: Cursor, statements: PolicyStatements, keys: Sequence[Key], locked: Collection[Key]
) -> list[Key]:
    """Return *keys* as the database has them, each once; all of them are *locked*.

    Raises:
        UnknownSubjectError: no row has some of these keys. All or none are closed: otherwise a
            caller would have to find out which accounts are still open.
    """
    stored: dict[Key, None] = {}
    for key in keys:
        rows = [] if key in locked else cursor.rows(statements.find, statements.key_values(key))
        stored |= dict.fromkeys(closed_at_by_key(statements, rows) or (key,))
    if missing := len([key for key in stored if key not in locked]):
        raise UnknownSubjectError(statements.table.fullname, missing)
    return list(stored)


def reject_identifying(context: CallContext, subjects: ClosingSubjects) -> None:
    """Refuse texts to record that contain an email address of one of the *subjects*."""
    for text in context.recorded:
        if any(subject.search_terms.has_address_in(text) for subject in subjects.all):
            raise ActorIdentifiesUserError


def _require_unblocked(context: CallContext, subjects: ClosingSubjects) -> str | None:
    """Return the reason of an override that was needed; see `BlockerCheck.require_none`."""
    if context.blockers is None:
        return None
    keys = (subject.key for subject in subjects.all)
    return context.blockers.require_none(key[0] if len(key) == 1 else key for key in keys)


def _require_unblocked_in_turn(
    cursor: Cursor, compiled: CompiledPolicy, rows: Sequence[tuple[Any, ...]], context: CallContext
) -> str | None:
    """Return the reason of an override that was needed if accounts are closed one by one.

    Two users of a batch can each be the other's replacement, as two organizers of a group are. So
    the accounts are closed in turn, which is rolled back.
    """
    overridden = None
    with cursor.rehearsal(compiled.single.table.fullname):
        for row in rows:
            subject = capture(cursor, compiled.single, [row])
            overridden = _require_unblocked(context, subject) or overridden
            closing_order.close(cursor, compiled.single, subject, context.now)
    return overridden


def _first_receipts(
    cursor: Cursor,
    compiled: CompiledPolicy,
    closed: Mapping[Key, datetime],
    context: CallContext,
    *,
    adopting: bool = False,
) -> dict[Key, Receipt]:
    """Return the receipts of *closed* accounts; with *adopting*, some may have none."""
    first_receipts = {}
    for key, closed_at in closed.items():
        first = compiled.closings.receipt_for(cursor, context.fingerprint(key), closed_at)
        if first is not None:
            first_receipts[key] = replace(Receipt.from_json(first), already_closed=True)
        elif not adopting:
            statements = compiled.single
            raise UnrecordedClosingError(statements.table.fullname, statements.deleted_at or "")
    return first_receipts


def _recheck(
    cursor: Cursor, statements: PolicyStatements, key: Key, plan: Plan, context: CallContext
) -> tuple[Step, ...]:
    """Return the steps as they are now, if they are the same as in *plan*.

    Raises:
        ForeignPlanError: the plan is for another account or another policy.
        StalePlanError: the numbers of rows have changed.
    """
    if plan.fingerprint != context.fingerprint(key) or plan.policy != statements.digest:
        raise ForeignPlanError
    today = context.now.date()
    fresh = make_plan(
        cursor,
        statements,
        key,
        context.fingerprint,
        today,
        # The account is open, as its locked row says.
        is_recorded=lambda *_: True,
    )
    for planned, found in zip(plan.steps, fresh.steps, strict=True):
        if planned.rows != found.rows:
            raise StalePlanError(found.table, planned.rows, found.rows)
        if planned != found:
            raise StalePlanError(found.table, planned.reached or 0, found.reached or 0)
    return fresh.steps


def fill_in_reached(steps: tuple[Step, ...], counted: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return *steps* with the missing ``reached`` numbers taken from *counted*."""
    if not counted:
        return steps
    known = {(step.table, step.action): step.reached for step in counted}
    return tuple(
        replace(step, reached=known.get((step.table, step.action)))
        if step.reached is None
        else step
        for step in steps
    )
