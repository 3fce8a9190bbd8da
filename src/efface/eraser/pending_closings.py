"""What a crash left unsettled: closings that nobody settled in time, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from efface.eraser.close_account import Key, Request
from efface.eraser.compiled_policy import CompiledPolicy
from efface.eraser.finalize import Finalized, finalize_one
from efface.errors import ConnectionLostError, EffaceError, NotFinalizedError
from efface.evidence.receipt import Receipt
from efface.plan.cursor import Cursor
from efface.plan.plan import Step
from efface.store.efface_tables import closings

MIN_AGE = timedelta(minutes=15)
"""How long a closing is left to whoever made it: they remember what to search for, and search."""


@dataclass(frozen=True)
class Failure:
    """One closing that could not be settled, and why; it is due again the next time."""

    reference: str
    error: EffaceError


@dataclass(frozen=True)
class PendingRun:
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
            "finalized": [json.loads(receipt.to_json()) for receipt in self.receipts],
            "failed": [{"reference": f.reference, "error": f.error.code} for f in self.failures],
            "remaining": self.remaining,
        }
        return json.dumps(data, indent=2)


def one_by_one(
    finalize: Callable[[Collection[str]], PendingRun], limit: int
) -> Iterator[PendingRun]:
    """Call *settle* until *limit* closings are settled or nothing is due, and yield the sums.

    It is to settle one closing in a transaction of its own, and takes the references of those
    that have failed before.
    """
    whole = PendingRun((), (), 0)
    while len(whole.receipts) < limit:
        done = finalize({failure.reference for failure in whole.failures})
        whole = PendingRun(
            whole.receipts + done.receipts,
            whole.failures + done.failures,
            done.remaining,
            whole.keys + done.keys,
        )
        yield whole
        if not done.receipts:
            return


def run_pending_closings(
    cursor: Cursor,
    compiled: CompiledPolicy,
    request: Request,
    *,
    before: datetime,
    limit: int,
    exclude: Collection[str],
) -> tuple[PendingRun, tuple[Step, ...]]:
    """Settle up to *limit* closings from *before* that moment; also return what was changed."""
    finalized: list[Finalized] = []
    failures: list[Failure] = []
    number = 0
    while len(finalized) < limit:
        claimed = compiled.closings.claim(cursor, before, number)
        if claimed is None:
            break
        if not number:
            compiled.databases.require_rules(cursor.connection)
        number, reference, stored = claimed
        if reference in exclude:
            continue
        try:
            finalized.append(_finalized(cursor, compiled, request, stored))
        except ConnectionLostError:
            raise
        except EffaceError as error:
            # It does not count: however many fail again and again, the others get their turn.
            failures.append(Failure(reference, error))
    pending_run = PendingRun(
        tuple(each.receipt for each in finalized),
        tuple(failures),
        compiled.closings.due(cursor, before),
        tuple(each.key for each in finalized),
    )
    return pending_run, tuple(step for each in finalized for step in each.steps)


def _finalized(
    cursor: Cursor, compiled: CompiledPolicy, request: Request, stored: str
) -> Finalized:
    """Settle one closing in a savepoint of its own."""
    with cursor.savepoint(closings.name, Exception):
        try:
            return finalize_one(cursor, compiled, Receipt.from_json(stored), request)
        except EffaceError:
            raise
        except Exception as error:  # noqa: BLE001  # one closing must not keep the others from it
            raise NotFinalizedError(type(error).__name__) from None
