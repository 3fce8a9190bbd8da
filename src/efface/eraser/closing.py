"""Closing and settling, one account or many: the stages in a row, from lock to receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from efface import execute
from efface.eraser.machine import Machine
from efface.errors import (
    ForeignClosingError,
    ForeignPlanError,
    StalePlanError,
    TombstoneWithoutClosingError,
    UnknownSubjectError,
    VetoedError,
)
from efface.evidence.receipt import BatchReceipt, Receipt, steps_json
from efface.evidence.residue import Search
from efface.plan.driver import Driver
from efface.plan.people import People, capture, is_named, states
from efface.plan.planner import key_values, make_plan
from efface.plan.program import Program
from efface.plan.steps import Plan, Step

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Request:
    """What one call of the eraser brings along: who asks, and the sources of time and names."""

    actor: str
    now: datetime
    fingerprint: Callable[[Key], str]
    reference: Callable[[], str]
    keys: dict[datetime, dict[str, Key]] = field(default_factory=dict, repr=False)
    """Who was closed at a moment, by fingerprint: read once, for all closings of that moment."""


def close_one(
    driver: Driver,
    machine: Machine,
    key: Key,
    request: Request,
    *,
    plan: Plan | None = None,
    veto: Callable[[], Iterable[Any]] = tuple,
    watch: execute.Watch | None = None,
    adopting: bool = False,
) -> Receipt:
    """Close one account and return its receipt; a closed one answers its first receipt."""
    program = machine.program
    people = execute.lock(driver, program, key)
    fingerprint, closed_at = request.fingerprint(key), people.only.closed_at
    if closed_at is not None:
        first = machine.closings.receipt_of(driver, fingerprint, closed_at)
        if first is not None:
            return replace(Receipt.from_json(first), already_closed=True)
        if not adopting:
            raise TombstoneWithoutClosingError(program.table.fullname, program.tombstone or "")
    # Under the lock and before anything changes: what held when the page was drawn may not now.
    if reasons := tuple(veto()):
        raise VetoedError(reasons)
    now = closed_at or request.now
    known = _still_fits(driver, program, key, plan, replace(request, now=now)) if plan else ()
    outcome = execute.close(driver, program, people, now, marked=closed_at is not None, watch=watch)
    receipt = Receipt(
        reference=request.reference(),
        table=program.table.fullname,
        subject=fingerprint,
        policy=program.digest,
        actor=request.actor,
        closed_at=now,
        steps=_with_reached(outcome.steps, known),
    )
    machine.closings.add(driver, receipt.record())
    return receipt.remembering(people)


def close_many(
    driver: Driver, machine: Machine, keys: Sequence[Key], request: Request
) -> BatchReceipt:
    """Close many accounts with the statements of one; closed ones answer their first receipts."""
    program = machine.many
    name = program.key_names[0]
    rows = driver.rows(program.lock, {f"subject_{name}": [key[0] for key in keys]})
    by_key = {(row[0],): row for row in rows}
    if len(by_key) < len(keys):
        raise UnknownSubjectError(program.table.fullname, len(keys) - len(by_key))
    closed = {key: at for key, at in states(program, rows).items() if at is not None}
    earlier = _earlier(driver, machine, closed, request)
    opened = [by_key[key] for key in keys if key not in closed]
    steps: tuple[Step, ...] = ()
    new: dict[Key, Receipt] = {}
    people = capture(driver, program, opened) if opened else None
    if people is not None:
        steps = execute.close(driver, program, people, request.now).steps
        new = {
            person.key: Receipt(
                reference=request.reference(),
                table=program.table.fullname,
                subject=request.fingerprint(person.key),
                policy=program.digest,
                actor=request.actor,
                closed_at=request.now,
                steps=steps,
                together=len(opened),
            )
            for person in people.persons
        }
        made = list(new.values())
        pairs = [(receipt.reference, receipt.subject) for receipt in made]
        machine.closings.add_alike(driver, made[0].record(), pairs)
    receipts = tuple(new.get(key) or earlier[key] for key in keys)
    batch = BatchReceipt(request.actor, request.now, steps, receipts)
    return batch.remembering(people) if people is not None else batch


def _earlier(
    driver: Driver, machine: Machine, closed: Mapping[Key, datetime], request: Request
) -> dict[Key, Receipt]:
    earlier = {}
    for key, closed_at in closed.items():
        first = machine.closings.receipt_of(driver, request.fingerprint(key), closed_at)
        if first is None:
            program = machine.program
            raise TombstoneWithoutClosingError(program.table.fullname, program.tombstone or "")
        earlier[key] = replace(Receipt.from_json(first), already_closed=True)
    return earlier


def settle_one(
    driver: Driver, machine: Machine, receipt: Receipt, request: Request
) -> tuple[Receipt, tuple[Step, ...]]:
    """Do the second pass and the search for one closing; also return what the pass did."""
    if receipt.table != machine.program.table.fullname:
        raise ForeignClosingError(receipt.table, machine.program.table.fullname)
    latest = _latest(receipt, machine.closings.receipt(driver, receipt.reference))
    if _has_all(latest, receipt):
        return latest, ()
    # Searched before anything is locked: reading a whole database takes its time, and on SQLite
    # nobody could write meanwhile. What the second pass then changes is searched again.
    search = _search(driver, machine, receipt)
    steps: tuple[Step, ...] = ()
    # The closing is locked before the person, by all who settle: so no two wait for each other.
    # Whoever was here before us may have settled it.
    latest = _latest(receipt, *machine.closings.lock(driver, [receipt.reference]))
    if _has_all(latest, receipt):
        return latest, ()
    people, rows = _settling(driver, machine.program, receipt, request)
    if people is not None:
        steps = _second_pass(driver, machine.program, people, rows, receipt.closed_at)
    late = sum(step.rows for step in steps)
    if late:
        search = _search(driver, machine, receipt)
    elif search is None:
        # Not made here, but perhaps by the one who settled it while we waited.
        search = latest.search
    settled = replace(
        latest,
        steps=latest.steps if latest.together > 1 else _with_reached(latest.steps, steps),
        late=latest.late + late,
        settled_at=request.now,
        search=search,
    )
    machine.closings.settle(driver, [settled.record()])
    return settled, steps


def _latest(receipt: Receipt, stored: str | None = None) -> Receipt:
    return Receipt.from_json(stored) if stored else receipt


def _has_all(latest: Receipt, receipt: Receipt) -> bool:
    """Return whether the *latest* receipt of a closing says all that settling it now could."""
    return bool(latest.settled_at and (latest.search or receipt.people is None))


def _search(driver: Driver, machine: Machine, receipt: Receipt) -> Search | None:
    people, program = receipt.people, machine.program
    if people is None:
        return None
    rows = driver.rows(program.find, key_values(program, people.only.key))
    known = people.as_now(program, rows, receipt.closed_at)
    return machine.residue.search(driver, known.values, known.only.needles)


def _second_pass(
    driver: Driver,
    program: Program,
    people: People,
    rows: Sequence[tuple[Any, ...]],
    closed_at: datetime,
) -> tuple[Step, ...]:
    """Do the steps once more, for what the *people* were and for what their *rows* say now."""
    steps: tuple[Step, ...] = ()
    renamed = [row for row in rows if is_named(program, row)]
    if renamed:
        # Somebody waited on our lock and then wrote a new name or address for the person.
        steps = execute.again(
            driver, program, capture(driver, program, renamed), closed_at.date()
        ).steps
    known = people.as_now(program, rows, closed_at)
    return steps + execute.again(driver, program, known, closed_at.date()).steps


def settle_batch(
    driver: Driver, machine: Machine, batch: BatchReceipt, request: Request
) -> tuple[BatchReceipt, tuple[Step, ...]]:
    """Do the second pass and the search for a batch; also return what the pass did.

    Raises:
        ValueError: this process does not remember the people; settle each receipt by itself.
    """
    people, program = batch.people, machine.many
    if people is None:
        raise ValueError("Only the process that closed a batch can settle it as one.")
    name = program.key_names[0]
    keys = {f"subject_{name}": [person.key[0] for person in people.persons]}
    search = _search_batch(driver, machine, batch, driver.rows(program.find, keys))
    machine.closings.lock(driver, [each.reference for each in batch.receipts])
    rows = driver.rows(program.lock, keys)
    # Keys are given out again: whoever has one now must still be whom we closed.
    state = states(program, rows)
    if program.policy.removes_subject or program.tombstone is None:
        ours = [person for person in people.persons if person.key not in state]
    else:
        ours = [person for person in people.persons if state.get(person.key) == batch.closed_at]
    steps: tuple[Step, ...] = ()
    if ours:
        here = {person.key for person in ours}
        kept = [row for row, key in zip(rows, state, strict=True) if key in here]
        steps = _second_pass(driver, program, People(program, ours), kept, batch.closed_at)
    late = sum(step.rows for step in steps)
    if late:
        search = _search_batch(driver, machine, batch, driver.rows(program.find, keys))
    counted = _with_reached(batch.steps, steps)
    receipts = tuple(
        receipt
        if receipt.already_closed
        else replace(receipt, steps=counted, late=late, settled_at=request.now, search=search)
        for receipt in batch.receipts
    )
    written = steps_json(counted)
    machine.closings.settle(driver, [r.record(written) for r in receipts if not r.already_closed])
    settled = replace(
        batch,
        steps=counted,
        receipts=receipts,
        settled_at=request.now,
        late=late,
        search=search,
    )
    return settled, steps


def _search_batch(
    driver: Driver, machine: Machine, batch: BatchReceipt, rows: Sequence[tuple[Any, ...]]
) -> Search | None:
    people = batch.people
    if people is None:
        return None
    known = people.as_now(machine.many, rows, batch.closed_at)
    return machine.residue_of_many.search_many(driver, known)


def _still_fits(
    driver: Driver, program: Program, key: Key, plan: Plan, request: Request
) -> tuple[Step, ...]:
    """Return the steps as they are now, or raise where *plan* shows others."""
    fingerprint = request.fingerprint(key)
    if plan.fingerprint != fingerprint or plan.policy != program.digest:
        raise ForeignPlanError
    fresh = make_plan(driver, program, key, fingerprint, request.now.date())
    for planned, found in zip(plan.steps, fresh.steps, strict=True):
        if planned.rows != found.rows:
            raise StalePlanError(found.table, planned.rows, found.rows)
        if planned != found:
            raise StalePlanError(found.table, planned.reached or 0, found.reached or 0)
    return fresh.steps


def _settling(
    driver: Driver, program: Program, receipt: Receipt, request: Request
) -> tuple[People | None, Sequence[tuple[Any, ...]]]:
    """Return the person of *receipt* and their row; None where the row is not theirs any more.

    Databases give keys out again: the steps must never run on whoever has the key now.
    """
    people = receipt.people
    key = people.only.key if people else _key_by_fingerprint(driver, program, receipt, request)
    if key is None:
        return None, ()
    rows = driver.rows(program.lock, key_values(program, key))
    if program.tombstone is None or program.policy.removes_subject:
        return (None if rows else people), ()
    if not rows:
        return None, ()
    (closed_at,) = states(program, rows).values()
    if closed_at != receipt.closed_at:
        return None, ()
    return people or capture(driver, program, rows, with_needles=False), rows


def _key_by_fingerprint(
    driver: Driver, program: Program, receipt: Receipt, request: Request
) -> Key | None:
    """Return the key that our records keep only as a fingerprint, by the moment of the closing."""
    if program.tombstone is None:
        return None
    moment = receipt.closed_at
    if moment not in request.keys:
        found = [tuple(key) for key in driver.rows(program.closed_at, {"now": moment})]
        request.keys[moment] = {request.fingerprint(key): key for key in found}
    return request.keys[moment].get(receipt.subject)


def _with_reached(steps: tuple[Step, ...], counted: tuple[Step, ...]) -> tuple[Step, ...]:
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
