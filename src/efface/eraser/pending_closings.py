"""Finalize pending closures: those that a crash or an error has interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from efface.eraser.call_context import CallContext, Key
from efface.eraser.compiled_policy import CompiledPolicy
from efface.eraser.finalize import Finalized, finalize_one
from efface.errors import ConnectionLostError, EffaceError, NotFinalizedError
from efface.evidence.receipt import Receipt
from efface.plan.cursor import Cursor
from efface.plan.plan import Step
from efface.store.efface_tables import closings

MIN_AGE = timedelta(minutes=15)
"""The age of a pending closing. Until then, the process that made it may finalize and search."""


@dataclass(frozen=True)
class Failure:
    """A closure that could not be finalized, and why. The next run tries it again."""

    reference: str
    error: EffaceError


@dataclass(frozen=True)
class PendingRun:
    """The result of one run over pending account closures.

    Attributes:
        receipts: The receipts of closures that were finalized.
        failures: The closures that could not be finalized, and why. The next run tries them again.
        remaining: How many are still pending, including failures and those that another worker has
            locked.
        keys: The primary keys for *receipts*, None if the row is deleted. They are not part of
            ``repr`` and JSON.
    """

    receipts: tuple[Receipt, ...]
    failures: tuple[Failure, ...]
    remaining: int
    keys: tuple[Key | None, ...] = field(default=(), repr=False)

    def to_json(self) -> str:
        """Return the result as JSON: ``finalized``, ``failed`` and ``remaining``."""
        data = {
            "finalized": [json.loads(receipt.to_json()) for receipt in self.receipts],
            "failed": [{"reference": f.reference, "error": f.error.code} for f in self.failures],
            "remaining": self.remaining,
        }
        return json.dumps(data, indent=2)


def finalize_one_by_one(
    finalize: Callable[[Collection[str]], PendingRun], limit: int
) -> Iterator[PendingRun]:
    """Yield the sums so far until *limit* closures are finalized or none is pending.

    Args:
        finalize: Finalizes one closure in a transaction of its own. It takes the references to
            leave out, those that have failed.
        limit: The most closures to finalize.
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
    context: CallContext,
    *,
    before: datetime,
    limit: int,
    exclude: Collection[str],
) -> tuple[PendingRun, tuple[Step, ...]]:
    """Finalize up to *limit* closures from *before* a moment, and return the steps, too."""
    finalized: list[Finalized] = []
    failures: list[Failure] = []
    number = 0
    while len(finalized) < limit:
        # After the last id, so that a failed closing is not claimed again in this run.
        claimed = compiled.closings.claim(cursor, before, number)
        if claimed is None:
            break
        if not number:
            compiled.databases.require_rules(cursor.connection)
        number, reference, stored = claimed
        if reference in exclude:
            continue
        try:
            finalized.append(_finalized(cursor, compiled, context, stored))
        except ConnectionLostError:
            raise
        except EffaceError as error:
            # Failures don't count for the limit, or many of them would block the others.
            failures.append(Failure(reference, error))
    pending_run = PendingRun(
        tuple(each.receipt for each in finalized),
        tuple(failures),
        compiled.closings.count_pending(cursor, before),
        tuple(each.key for each in finalized),
    )
    return pending_run, tuple(step for each in finalized for step in each.steps)


def _finalized(
    cursor: Cursor, compiled: CompiledPolicy, context: CallContext, stored: str
) -> Finalized:
    """Finalize one closure in a savepoint of its own."""
    with cursor.savepoint(closings.name, Exception):
        try:
            return finalize_one(cursor, compiled, Receipt.from_json(stored), context)
        except EffaceError:
            raise
        except Exception as error:  # noqa: BLE001  # one closing must not keep the others from it
            raise NotFinalizedError(type(error).__name__) from None
