"""What a crash left unsettled: closings that nobody settled in time, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from efface.eraser.closing import Key, Request
from efface.eraser.machine import Machine
from efface.eraser.settling import Settled, settle_one
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

    ``keys`` are the primary keys of the people of ``receipts``, None for a row that is gone: a host
    ends there what hangs on a key, and they are not shown or written anywhere. ``remaining``
    counts what failed too, and what others are at.
    """

    receipts: tuple[Receipt, ...]
    failures: tuple[Failure, ...]
    remaining: int
    keys: tuple[Key | None, ...] = field(default=(), repr=False)

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
    whole = Settlement((), (), 0)
    while len(whole.receipts) < limit:
        done = settle({failure.reference for failure in whole.failures})
        whole = Settlement(
            whole.receipts + done.receipts,
            whole.failures + done.failures,
            done.remaining,
            whole.keys + done.keys,
        )
        yield whole
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
    settled: list[Settled] = []
    failures: list[Failure] = []
    number = 0
    while len(settled) < limit:
        claimed = machine.closings.claim(driver, before, number)
        if claimed is None:
            break
        number, reference, stored = claimed
        if reference in leaving_out:
            continue
        try:
            settled.append(_settled(driver, machine, request, stored))
        except ConnectionLostError:
            raise
        except EffaceError as error:
            # It does not count: however many fail again and again, the others get their turn.
            failures.append(Failure(reference, error))
    settlement = Settlement(
        tuple(each.receipt for each in settled),
        tuple(failures),
        machine.closings.due(driver, before),
        tuple(each.key for each in settled),
    )
    return settlement, tuple(step for each in settled for step in each.steps)


def _settled(driver: Driver, machine: Machine, request: Request, stored: str) -> Settled:
    """Settle one closing in a savepoint of its own."""
    with driver.savepoint(closings.name, Exception):
        try:
            return settle_one(driver, machine, Receipt.from_json(stored), request)
        except EffaceError:
            raise
        except Exception as error:  # noqa: BLE001  # one closing must not keep the others from it
            raise UnsettledError(type(error).__name__) from None
