"""Record that the application itself deletes records that the policy retains."""

from __future__ import annotations

from dataclasses import replace

from efface.eraser.call_context import CallContext, Key
from efface.eraser.close_account import reject_identifying
from efface.eraser.compiled_policy import CompiledPolicy
from efface.evidence.receipt import Receipt
from efface.plan.closing_subjects import capture
from efface.plan.cursor import Cursor
from efface.plan.plan import Step
from efface.policy.actions import Delete


def record_deletion(
    cursor: Cursor,
    compiled: CompiledPolicy,
    key: Key,
    steps: tuple[Step, ...],
    context: CallContext,
) -> Receipt:
    """Record the *steps*, in which each retained row is a deleted one, for `Eraser`."""
    statements = compiled.single
    rows = cursor.rows(statements.find, statements.key_values(key))
    if rows:
        reject_identifying(context, capture(cursor, statements, rows))
    deleted = (
        replace(
            step,
            action=Delete.word,
            rows=step.reached or 0,
            levels=(("*", "deleted"),),
            until=None,
            reason=None,
        )
        for step in steps
    )
    receipt = Receipt(
        reference=context.reference(),
        table=statements.table.fullname,
        subject=context.fingerprint(key),
        policy=statements.digest,
        actor=context.actor,
        closed_at=context.now,
        steps=tuple(deleted),
        # Nothing is left to do: no rule is carried out, and no identifier was captured.
        finalized_at=context.now,
        overridden=context.blockers.override if context.blockers else None,
    )
    compiled.closings.add(cursor, receipt.record())
    return receipt
