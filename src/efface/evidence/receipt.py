"""Record what a closure did and what is kept until when, without naming the subject."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Self

from efface.evidence.database_search import Search
from efface.plan.closing_subjects import ClosingSubjects
from efface.plan.plan import Step, step_from_json, step_to_json

_to_json = json.JSONEncoder(separators=(",", ":")).encode


def steps_json(steps: tuple[Step, ...]) -> str:
    """Return *steps* as they are in a receipt's JSON."""
    return _to_json([step_to_json(step) for step in steps])


class WithCapturedSubjects:
    """A receipt with the captured subjects, in the memory of this process only.

    `Eraser.finalize` searches for their identifiers, which must not be stored. So they are no
    field, and not part of ``repr``, JSON, copies and pickles.
    """

    def with_captured(self, captured: ClosingSubjects) -> Self:
        """Return a copy of this receipt with the subjects *captured*."""
        copied = copy(self)
        # A frozen dataclass refuses a normal assignment, and this is deliberately no field.
        object.__setattr__(copied, "_captured", captured)
        return copied

    @property
    def captured(self) -> ClosingSubjects | None:
        """Return the captured subjects, or None if another process closed the account."""
        return self.__dict__.get("_captured")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the captured subjects out of pickles and copies."""
        return {name: value for name, value in self.__dict__.items() if name != "_captured"}


@dataclass(frozen=True)
class Receipt(WithCapturedSubjects):
    """The record of one account closure. It is frozen and has no personal value.

    Attributes:
        reference: The receipt's unique name, which you can give to the user.
        table: The users' table.
        subject: The keyed fingerprint of the primary key.
        policy: The policy's digest.
        actor: Who asked for the closure.
        closed_at: When the account was closed, in UTC, to the second.
        steps: What happened to each table, with the numbers of rows from the database. In a batch,
            they count the rows of all its accounts.
        finalized_at: When the closure was finalized, or None.
        late: How many rows the post-commit pass changed.
        together: How many accounts were closed in the same batch.
        search: The result of the search, or None if there was none.
        overridden: Why blockers, or the retention of records, were overridden, or None.
        repeats: The reference of the first receipt, if the account was erased again, or None.
        already_closed: Whether the account was closed before this call.
    """

    reference: str
    table: str
    subject: str
    policy: str
    actor: str
    closed_at: datetime
    steps: tuple[Step, ...]
    finalized_at: datetime | None = None
    late: int = 0
    together: int = 1
    search: Search | None = None
    overridden: str | None = None
    repeats: str | None = None
    already_closed: bool = field(default=False, compare=False)

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps) + self.late

    @property
    def kept_until(self) -> date | None:
        """Return the last day on which any retained row must be kept, or None."""
        return max((step.until for step in self.steps if step.until and step.reached), default=None)

    def record(self, steps: str | None = None) -> dict[str, Any]:
        """Return the row of ``efface_closings``; *steps* may be the steps as JSON already."""
        return {
            "reference": self.reference,
            "subject": self.subject,
            "closed_at": self.closed_at,
            "actor": self.actor,
            "policy": self.policy,
            "finalized_at": self.finalized_at,
            "receipt": self.to_json(steps),
        }

    def to_json(self, steps: str | None = None) -> str:
        """Return the receipt as canonical JSON: equal receipts have equal texts.

        Args:
            steps: The steps as JSON, if you have them. The receipts of a batch share theirs.
        """
        data = {
            "reference": self.reference,
            "table": self.table,
            "subject": self.subject,
            "policy": self.policy,
            "actor": self.actor,
            "closed_at": self.closed_at.isoformat(),
            "finalized_at": self.finalized_at.isoformat() if self.finalized_at else None,
            "late": self.late,
            "together": self.together,
            "search": asdict(self.search) if self.search else None,
        }
        for name in ("overridden", "repeats"):
            if (value := getattr(self, name)) is not None:
                data[name] = value
        # The steps are appended as text, because a batch encodes them once for all its receipts.
        return f'{_to_json(data)[:-1]},"steps":{steps or steps_json(self.steps)}}}'

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Return the receipt that `to_json` wrote."""
        data = json.loads(text)
        finalized, search = data.pop("finalized_at"), data.pop("search")
        return cls(
            steps=tuple(step_from_json(step) for step in data.pop("steps")),
            closed_at=datetime.fromisoformat(data.pop("closed_at")),
            finalized_at=datetime.fromisoformat(finalized) if finalized else None,
            search=Search.from_json(search) if search else None,
            **data,
        )


@dataclass(frozen=True)
class BatchReceipt(WithCapturedSubjects):
    """The record of closing a batch of accounts in one transaction.

    Attributes:
        actor: Who asked for the closures.
        closed_at: When the accounts were closed, in UTC, to the second.
        steps: What happened to each table, with the numbers of rows of all accounts together.
        receipts: The receipt of each account, in the order of the call.
        finalized_at: When the batch was finalized, or None.
        late: How many rows the post-commit pass changed.
        search: The result of the search, or None if there was none.
    """

    actor: str
    closed_at: datetime
    steps: tuple[Step, ...]
    receipts: tuple[Receipt, ...]
    finalized_at: datetime | None = None
    late: int = 0
    search: Search | None = None

    @property
    def closed(self) -> int:
        """Return how many accounts this batch closed, without those closed before."""
        return sum(1 for receipt in self.receipts if not receipt.already_closed)

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps) + self.late
