"""Plans as values: frozen, comparable, saved as JSON, holding no connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

_ROWS = 2
"""The column of the printed plan that holds a number, and is set flush right."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens, would happen, or has happened to the rows of one table.

    ``rows`` counts the rows that change, ``reached`` those that the links reach: a post that does
    not mention the person is reached and stays as it is. ``reached`` is None where nobody counted
    yet (a receipt of redacted rows before it is settled). ``levels`` names for each decided column
    what is true of it afterwards.
    """

    table: str
    action: str
    through: tuple[str, ...]
    columns: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]
    rows: int
    reached: int | None = None
    until: date | None = None
    reason: str | None = None

    @property
    def changes_rows(self) -> bool:
        """Return whether any row changes."""
        return self.rows > 0


def step_from_json(data: Mapping[str, Any]) -> Step:
    """Return the step that `step_to_json` wrote."""
    return Step(
        table=data["table"],
        action=data["action"],
        through=tuple(data["through"]),
        columns=tuple(data["columns"]),
        levels=tuple((column, level) for column, level in data["levels"]),
        rows=data["rows"],
        reached=data["reached"],
        until=date.fromisoformat(data["until"]) if data["until"] else None,
        reason=data["reason"],
    )


def step_to_json(step: Step) -> dict[str, Any]:
    """Return *step* as JSON data."""
    # By hand: `dataclasses.asdict` copies deeply, which costs more than the closing's statements.
    return {
        "table": step.table,
        "action": step.action,
        "through": step.through,
        "columns": step.columns,
        "levels": step.levels,
        "rows": step.rows,
        "reached": step.reached,
        "until": step.until.isoformat() if step.until else None,
        "reason": step.reason,
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """The dry run of a closing: what would happen, counted in the database, nothing changed.

    ``subject`` is the key as it was asked for; it stands in a plan because somebody typed it, and
    nowhere else. ``fingerprint`` is what receipts and closings hold instead.
    """

    table: str
    subject: str
    fingerprint: str
    policy: str
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything in the plan."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Return how many rows would change."""
        return sum(step.rows for step in self.steps)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing would change."""
        return self.rows == 0

    def explain(self) -> str:
        """Return the plan as text for people."""
        return explain(self)

    def to_json(self) -> str:
        """Return the plan as canonical JSON."""
        data = {
            "table": self.table,
            "subject": self.subject,
            "fingerprint": self.fingerprint,
            "policy": self.policy,
            "steps": [step_to_json(step) for step in self.steps],
        }
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that `to_json` wrote."""
        data = json.loads(text)
        steps = tuple(step_from_json(step) for step in data.pop("steps"))
        return cls(**data, steps=steps)


def explain(plan: Plan) -> str:
    """Return *plan* as a small table: one line per step, then the sum."""
    lines = [_cells(step) for step in plan.steps]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(4)]
    body = [f"  {_line(line, widths)}".rstrip() for line in lines]
    steps = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
    reached = sum(step.reached or 0 for step in plan.steps)
    return "\n".join(
        [
            f"Closing {plan.table} {plan.subject} · plan {plan.digest[:6]}",
            "",
            *body,
            "",
            f"  {steps} · {_rows(reached)} · one transaction · nothing has been changed yet",
        ]
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    *padded, note = cells
    columns = [
        cell.rjust(width) if i == _ROWS else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(padded, widths, strict=True))
    ]
    return "   ".join([*columns, note])


def _cells(step: Step) -> tuple[str, str, str, str, str]:
    where = f"through {', '.join(step.through)}" if step.through else "leaves a tombstone"
    note = ", ".join(step.columns)
    if step.until is not None:
        where, note = f"until {step.until.isoformat()}", step.reason or ""
    elif step.reason:
        note = step.reason
    elif step.action == "delete" and not step.through:
        where = "the person's own row"
    reached = step.reached or 0
    if step.columns and step.rows < reached:
        note += f" ({step.rows} of them change)"
    return step.action, step.table, _rows(reached), where, note


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
