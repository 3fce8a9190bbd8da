"""Settling, one closing or a batch: the second pass and the search, after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from efface import execute
from efface.eraser.closing import Key, Moment, Request, with_reached
from efface.eraser.machine import Machine
from efface.errors import ForeignClosingError, UnrecognizedClosingError
from efface.evidence.receipt import BatchReceipt, Receipt, steps_json
from efface.evidence.residue import Search
from efface.plan.dialects import around
from efface.plan.driver import Driver
from efface.plan.people import People, aware, capture, is_named, states
from efface.plan.planner import key_values
from efface.plan.program import Program
from efface.plan.steps import Step


@dataclass(frozen=True)
class Settled:
    """One closing when it is settled, the steps of the second pass, and whose it is."""

    receipt: Receipt
    steps: tuple[Step, ...] = ()
    key: Key | None = field(default=None, repr=False)
    """The person's primary key; None where the row is not theirs any more, or nothing was done."""


def settle_one(driver: Driver, machine: Machine, receipt: Receipt, request: Request) -> Settled:
    """Do the second pass and the search for one closing.

    Raises:
        ForeignClosingError: it is of other people than those of the policy.
        UnrecognizedClosingError: the row may be there, and cannot be told from others.
        StatementError: the database refused.
    """
    if receipt.table != machine.program.table.fullname:
        raise ForeignClosingError(receipt.table, machine.program.table.fullname)
    latest = _latest(receipt, machine.closings.receipt(driver, receipt.reference))
    if _has_all(latest, receipt):
        return Settled(latest)
    # Searched before anything is locked: reading a whole database takes its time, and on SQLite
    # nobody could write meanwhile. What the second pass then changes is searched again.
    search = _search(driver, machine, receipt)
    steps: tuple[Step, ...] = ()
    # The closing is locked before the person, by all who settle: so no two wait for each other.
    # Whoever was here before us may have settled it.
    locked = machine.closings.lock(driver, [receipt.reference])
    latest = _latest(receipt, *(stored for stored, _ in locked))
    if _has_all(latest, receipt):
        return Settled(latest)
    people, rows = _settling(driver, machine, receipt, request)
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
        steps=latest.steps if latest.together > 1 else with_reached(latest.steps, steps),
        late=latest.late + late,
        settled_at=request.now,
        search=search,
    )
    machine.closings.settle(driver, [settled.record()])
    return Settled(settled, steps, people.only.key if people is not None else None)


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
    keys = {f"subject_{program.key_names[0]}": [person.key[0] for person in people.persons]}
    search = _search_batch(driver, machine, batch, driver.rows(program.find, keys))
    locked = machine.closings.lock(driver, [each.reference for each in batch.receipts])
    rows = driver.rows(program.lock, keys)
    ours, kept = _still_ours(program, people, rows, batch.closed_at)
    steps = _second_pass(driver, program, ours, kept, batch.closed_at) if ours.persons else ()
    late = sum(step.rows for step in steps)
    if late:
        search = _search_batch(driver, machine, batch, driver.rows(program.find, keys))
    counted = with_reached(batch.steps, steps)
    # Somebody may have settled some of them one by one, and counted there what was late.
    before = {
        receipt.reference: receipt.late
        for receipt in (Receipt.from_json(stored) for stored, at in locked if at is not None)
    }
    settled = [
        replace(
            receipt,
            steps=counted,
            late=late + before.get(receipt.reference, 0),
            settled_at=request.now,
            search=search,
        )
        for receipt in batch.receipts
        if not receipt.already_closed
    ]
    written = steps_json(counted)
    machine.closings.settle(driver, [receipt.record(written) for receipt in settled])
    by_reference = {receipt.reference: receipt for receipt in settled}
    whole = replace(
        batch,
        steps=counted,
        receipts=tuple(by_reference.get(each.reference, each) for each in batch.receipts),
        settled_at=request.now,
        late=late,
        search=search,
    )
    return whole, steps


def _still_ours(
    program: Program, people: People, rows: Sequence[tuple[Any, ...]], closed_at: datetime
) -> tuple[People, Sequence[tuple[Any, ...]]]:
    """Return those of *people* whom we closed, and their rows: keys are given out again."""
    state = states(program, rows)
    if program.policy.removes_subject or program.tombstone is None:
        ours = [person for person in people.persons if person.key not in state]
    else:
        ours = [person for person in people.persons if state.get(person.key) == closed_at]
    here = {person.key for person in ours}
    kept = [row for row, key in zip(rows, state, strict=True) if key in here]
    return People(program, ours), kept


def _search_batch(
    driver: Driver, machine: Machine, batch: BatchReceipt, rows: Sequence[tuple[Any, ...]]
) -> Search | None:
    people = batch.people
    if people is None:
        return None
    known = people.as_now(machine.many, rows, batch.closed_at)
    return machine.residue_of_many.search_many(driver, known)


def _settling(
    driver: Driver, machine: Machine, receipt: Receipt, request: Request
) -> tuple[People | None, Sequence[tuple[Any, ...]]]:
    """Return the person of *receipt* and their row; None where the row is not theirs any more.

    Databases give keys out again: the steps must never run on whoever has the key now.
    """
    program, people = machine.program, receipt.people
    key = people.only.key if people else _key_on_record(driver, machine, receipt, request)
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


def _key_on_record(
    driver: Driver, machine: Machine, receipt: Receipt, request: Request
) -> Key | None:
    """Return the key that our records keep only as a fingerprint, by the moment of the closing.

    None where the row is gone. Under another key of the eraser every fingerprint is another one,
    and a row that is there would look as if it were gone.
    """
    program = machine.program
    if program.tombstone is None or program.policy.removes_subject:
        return None
    moment = request.moments.get(receipt.closed_at)
    if moment is None:
        moment = _moment(driver, machine, receipt.closed_at, request)
        request.moments[receipt.closed_at] = moment
    key = moment.keys.get(receipt.subject)
    if key is None and moment.strangers:
        raise UnrecognizedClosingError(program.table.fullname, moment.strangers)
    return key


def _moment(driver: Driver, machine: Machine, closed_at: datetime, request: Request) -> Moment:
    found = driver.rows(machine.program.closed_at, around("now", closed_at))
    ours = [tuple(key) for *key, at in found if aware(at) == closed_at]
    keys = {request.fingerprint(key): key for key in ours}
    on_record = machine.closings.on_record(driver, list(keys), closed_at) if keys else 0
    return Moment(keys, len(keys) - on_record)
