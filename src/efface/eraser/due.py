"""What a crash left unsettled: closings that nobody settled in time, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from efface.eraser.closing import Request, settle_one
from efface.eraser.machine import Machine
from efface.errors import ConnectionLostError, EffaceError, UnsettledError
from efface.evidence.receipt import Receipt
from efface.plan.driver import Driver
from efface.plan.steps import Step
from efface.store.tables import closings

PATIENCE = timedelta(minutes=15)
"""How long a closing is left to whoever made it: they remember what to search for, and search."""


@dataclass(frozen=True)
class Failure:
    """One closing that could not be settled, and why; it is due again the next time."""

    reference: str
    error: EffaceError


@dataclass(frozen=True)
class Settlement:
    """What one call has settled, what it could not, and how many closings are still due.

    ``remaining`` counts what failed too, and what others are at.
    """

    receipts: tuple[Receipt, ...]
    failures: tuple[Failure, ...]
    remaining: int

    def to_json(self) -> str:
        """Return it as JSON for programs."""
        data = {
            "settled": [json.loads(receipt.to_json()) for receipt in self.receipts],
            "failed": [{"reference": f.reference, "error": f.error.code} for f in self.failures],
            "remaining": self.remaining,
        }
        return json.dumps(data, indent=2)


def in_turn(settle: Callable[[Collection[str]], Settlement], limit: int) -> Iterator[Settlement]:
    """Call *settle* until *limit* closings are settled or nothing is due, and yield the sums.

    It is to settle one closing in a transaction of its own, and takes the references of those
    that have failed before.
    """
    receipts: tuple[Receipt, ...] = ()
    failures: tuple[Failure, ...] = ()
    while len(receipts) < limit:
        done = settle({failure.reference for failure in failures})
        receipts, failures = receipts + done.receipts, failures + done.failures
        yield Settlement(receipts, failures, done.remaining)
        if not done.receipts:
            return


def settle_due(
    driver: Driver,
    machine: Machine,
    request: Request,
    *,
    before: datetime,
    limit: int,
    leaving_out: Collection[str],
) -> tuple[Settlement, tuple[Step, ...]]:
    """Settle up to *limit* closings from *before* that moment; also return what was changed."""
    receipts: list[Receipt] = []
    failures: list[Failure] = []
    changed: list[Step] = []
    number = 0
    while len(receipts) < limit:
        claimed = machine.closings.claim(driver, before, number)
        if claimed is None:
            break
        number, reference, stored = claimed
        if reference in leaving_out:
            continue
        try:
            settled, steps = _settled(driver, machine, request, stored)
        except ConnectionLostError:
            raise
        except EffaceError as error:
            # It does not count: however many fail again and again, the others get their turn.
            failures.append(Failure(reference, error))
        else:
            receipts.append(settled)
            changed += steps
    remaining = machine.closings.due(driver, before)
    return Settlement(tuple(receipts), tuple(failures), remaining), tuple(changed)


def _settled(
    driver: Driver, machine: Machine, request: Request, stored: str
) -> tuple[Receipt, Iterable[Step]]:
    """Settle one closing in a savepoint of its own."""
    with driver.savepoint(closings.name, Exception):
        try:
            return settle_one(driver, machine, Receipt.from_json(stored), request)
        except EffaceError:
            raise
        except Exception as error:  # noqa: BLE001  # one closing must not keep the others from it
            raise UnsettledError(type(error).__name__) from None
