"""Closing, one account or many: the stages in a row, from lock to receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from efface.eraser.compiled_policy import CompiledPolicy
from efface.errors import (
    ActorIdentifiesUserError,
    BlockedError,
    ForeignPlanError,
    StalePlanError,
    UnknownSubjectError,
    UnrecordedClosingError,
)
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.execute import closing_order
from efface.plan.closing_subjects import ClosingSubjects, capture, states
from efface.plan.cursor import Cursor
from efface.plan.plan import Plan, Step
from efface.plan.planner import key_values, make_plan
from efface.plan.policy_statements import PolicyStatements

Key = tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Moment:
    """The rows whose accounts were closed at one moment."""

    keys: Mapping[str, Key]
    """Their primary keys, by fingerprint."""
    strangers: int
    """How many of them are in no closing on record."""


@dataclass(frozen=True)
class Request:
    """What one call of the eraser brings along: who asks, and the sources of time and names."""

    actor: str
    now: datetime
    fingerprint: Callable[[Key], str]
    reference: Callable[[], str]
    moments: dict[datetime, Moment] = field(default_factory=dict, repr=False)
    """Read once, for all closings of a moment."""


def close_one(
    cursor: Cursor,
    compiled: CompiledPolicy,
    key: Key,
    request: Request,
    *,
    plan: Plan | None = None,
    blockers: Callable[[], Iterable[Any]] = tuple,
    on_progress: closing_order.OnProgress | None = None,
    adopting: bool = False,
) -> Receipt:
    """Close one account and return its receipt; a closed one answers its first receipt."""
    statements = compiled.single
    people = closing_order.lock(cursor, statements, key)
    fingerprint, closed_at = request.fingerprint(key), people.only.closed_at
    if closed_at is not None:
        first = compiled.closings.receipt_of(cursor, fingerprint, closed_at)
        if first is not None:
            return replace(Receipt.from_json(first), already_closed=True)
        if not adopting:
            raise UnrecordedClosingError(statements.table.fullname, statements.deleted_at or "")
    compiled.databases.require_rules(cursor.connection)
    _unnamed(request.actor, people)
    # Under the lock and before anything changes: what held when the page was drawn may not now.
    if reasons := tuple(blockers()):
        raise BlockedError(reasons)
    now = closed_at or request.now
    known = _still_fits(cursor, statements, key, plan, replace(request, now=now)) if plan else ()
    outcome = closing_order.close(
        cursor, statements, people, now, marked=closed_at is not None, on_progress=on_progress
    )
    receipt = Receipt(
        reference=request.reference(),
        table=statements.table.fullname,
        subject=fingerprint,
        policy=statements.digest,
        actor=request.actor,
        closed_at=now,
        steps=with_reached(outcome.steps, known),
    )
    compiled.closings.add(cursor, receipt.record())
    return receipt.remembering(people)


def find_receipt(
    cursor: Cursor, compiled: CompiledPolicy, key: Key, fingerprint: str
) -> Receipt | None:
    """Return the receipt of a closed account, or None where no closing of ours belongs to it."""
    statements = compiled.single
    rows = cursor.rows(statements.find, key_values(statements, key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    (closed_at,) = states(statements, rows).values()
    if closed_at is None:
        return None
    first = compiled.closings.receipt_of(cursor, fingerprint, closed_at)
    return Receipt.from_json(first) if first is not None else None


def close_many(
    cursor: Cursor, compiled: CompiledPolicy, keys: Sequence[Key], request: Request
) -> BatchReceipt:
    """Close many accounts with the statements of one; closed ones answer their first receipts."""
    statements = compiled.batch
    name = statements.key_names[0]
    rows = cursor.rows(statements.lock, {f"subject_{name}": [key[0] for key in keys]})
    by_key = {(row[0],): row for row in rows}
    if len(by_key) < len(keys):
        raise UnknownSubjectError(statements.table.fullname, len(keys) - len(by_key))
    closed = {key: at for key, at in states(statements, rows).items() if at is not None}
    earlier = _earlier(cursor, compiled, closed, request)
    opened = [by_key[key] for key in keys if key not in closed]
    steps: tuple[Step, ...] = ()
    new: dict[Key, Receipt] = {}
    people = capture(cursor, statements, opened) if opened else None
    if people is not None:
        compiled.databases.require_rules(cursor.connection)
        _unnamed(request.actor, people)
        steps = closing_order.close(cursor, statements, people, request.now).steps
        new = {
            person.key: Receipt(
                reference=request.reference(),
                table=statements.table.fullname,
                subject=request.fingerprint(person.key),
                policy=statements.digest,
                actor=request.actor,
                closed_at=request.now,
                steps=steps,
                together=len(opened),
            )
            for person in people.persons
        }
        made = list(new.values())
        pairs = [(receipt.reference, receipt.subject) for receipt in made]
        compiled.closings.add_alike(cursor, made[0].record(), pairs)
    receipts = tuple(new.get(key) or earlier[key] for key in keys)
    batch = BatchReceipt(request.actor, request.now, steps, receipts)
    return batch.remembering(people) if people is not None else batch


def _unnamed(actor: str, people: ClosingSubjects) -> None:
    """Refuse an *actor* by which one of the *people* would be named in our own table."""
    if any(person.search_terms.has_address_in(actor) for person in people.persons):
        raise ActorIdentifiesUserError


def _earlier(
    cursor: Cursor, compiled: CompiledPolicy, closed: Mapping[Key, datetime], request: Request
) -> dict[Key, Receipt]:
    earlier = {}
    for key, closed_at in closed.items():
        first = compiled.closings.receipt_of(cursor, request.fingerprint(key), closed_at)
        if first is None:
            statements = compiled.single
            raise UnrecordedClosingError(statements.table.fullname, statements.deleted_at or "")
        earlier[key] = replace(Receipt.from_json(first), already_closed=True)
    return earlier


def _still_fits(
    cursor: Cursor, statements: PolicyStatements, key: Key, plan: Plan, request: Request
) -> tuple[Step, ...]:
    """Return the steps as they are now, or raise where *plan* shows others."""
    fingerprint = request.fingerprint(key)
    if plan.fingerprint != fingerprint or plan.policy != statements.digest:
        raise ForeignPlanError
    fresh = make_plan(cursor, statements, key, fingerprint, request.now.date())
    for planned, found in zip(plan.steps, fresh.steps, strict=True):
        if planned.rows != found.rows:
            raise StalePlanError(found.table, planned.rows, found.rows)
        if planned != found:
            raise StalePlanError(found.table, planned.reached or 0, found.reached or 0)
    return fresh.steps


def with_reached(steps: tuple[Step, ...], counted: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return *steps* with the numbers of reached rows that *counted* knows."""
    if not counted:
        return steps
    known = {(step.table, step.action): step.reached for step in counted}
    return tuple(
        replace(step, reached=known.get((step.table, step.action)))
        if step.reached is None
        else step
        for step in steps
    )
