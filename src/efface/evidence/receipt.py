"""What a closing did, what stayed and until when; nothing in it leads back to the person."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

from efface.evidence.residue import Search
from efface.plan.planner import Captured
from efface.plan.steps import Step, step_from_json, step_to_json


@dataclass(frozen=True)
class Receipt:
    """The record of one closing, frozen.

    ``reference`` names it, ``subject`` is a keyed fingerprint, ``steps`` are counted by the
    database. ``late`` are the rows that a writer added after the closing and the second pass
    caught; ``search`` is what the search of the database found, None until it was made or where
    it was not possible. ``already_closed`` says that this call changed nothing.
    """

    reference: str
    table: str
    subject: str
    policy: str
    actor: str
    closed_at: datetime
    steps: tuple[Step, ...]
    settled_at: datetime | None = None
    late: int = 0
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

    def remembering(self, person: Captured) -> Receipt:
        """Return this receipt with *person* beside it, in the memory of this process only.

        `settle` searches for the person's identifiers, which must not be stored: they are no
        field, and are left out of ``repr``, JSON, copies and pickles.
        """
        copy = replace(self)
        object.__setattr__(copy, "_person", person)
        return copy

    @property
    def person(self) -> Captured | None:
        """Return what this process still remembers for `settle`, or None."""
        return self.__dict__.get("_person")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the remembered person out of pickles and copies."""
        return {name: value for name, value in self.__dict__.items() if name != "_person"}

    def to_json(self) -> str:
        """Return the receipt as canonical JSON."""
        data = {
            "reference": self.reference,
            "table": self.table,
            "subject": self.subject,
            "policy": self.policy,
            "actor": self.actor,
            "closed_at": self.closed_at.isoformat(),
            "steps": [step_to_json(step) for step in self.steps],
            "settled_at": self.settled_at.isoformat() if self.settled_at else None,
            "late": self.late,
            "search": asdict(self.search) if self.search else None,
        }
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Return the receipt that `to_json` wrote."""
        data = json.loads(text)
        settled, search = data.pop("settled_at"), data.pop("search")
        return cls(
            steps=tuple(step_from_json(step) for step in data.pop("steps")),
            closed_at=datetime.fromisoformat(data.pop("closed_at")),
            settled_at=datetime.fromisoformat(settled) if settled else None,
            search=Search.from_json(search) if search else None,
            **data,
        )
