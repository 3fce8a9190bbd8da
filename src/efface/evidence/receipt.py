"""What a closing did, what stayed and until when; nothing in it leads back to the person."""

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
    """Return *steps* as they stand in a receipt's JSON."""
    return _to_json([step_to_json(step) for step in steps])


class WithCapturedSubjects:
    """A record with the people beside it, in the memory of this process only.

    `finalize` searches for their identifiers, which must not be stored: they are no field, and are
    left out of ``repr``, JSON, copies and pickles.
    """

    def with_captured(self, captured: ClosingSubjects) -> Self:
        """Return this record with *captured* beside it."""
        copied = copy(self)
        object.__setattr__(copied, "_people", captured)
        return copied

    @property
    def captured(self) -> ClosingSubjects | None:
        """Return whom this process still remembers for `finalize`, or None."""
        return self.__dict__.get("_people")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the people out of pickles and copies."""
        return {name: value for name, value in self.__dict__.items() if name != "_people"}


@dataclass(frozen=True)
class Receipt(WithCapturedSubjects):
    """The record of one closing, frozen.

    ``reference`` names it, ``subject`` is a keyed fingerprint, ``steps`` are counted by the
    database, for as many people as were closed ``together``. ``late`` are the rows that a writer
    added after the closing and the second pass caught; ``search`` is what the search of the
    database found, None until it was made or where it was not possible. ``already_closed`` says
    that this call changed nothing.
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
    already_closed: bool = field(default=False, compare=False)

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps) + self.late

    @property
    def kept_until(self) -> date | None:
        """Return the last day on which some record is kept, or None."""
        return max((step.until for step in self.steps if step.until and step.reached), default=None)

    def record(self, steps: str | None = None) -> dict[str, Any]:
        """Return what the closings table keeps of this receipt; *steps* may be written already."""
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
        """Return the receipt as canonical JSON.

        The people of one batch share their *steps*, which are then written out once.
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
    """The record of closing many accounts in one transaction.

    ``receipts`` has one for each account in the order they were asked for; each can be found by
    its reference later. ``steps`` count the rows of all people together.
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
        """Return how many accounts this batch has closed."""
        return sum(1 for receipt in self.receipts if not receipt.already_closed)

    @property
    def rows(self) -> int:
        """Return how many rows changed."""
        return sum(step.rows for step in self.steps) + self.late
