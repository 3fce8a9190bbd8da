"""Describe what a closure would do, as a value to print, compare and save as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

_ROWS = 2
"""The column of the printed plan with numbers, which are aligned to the right."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one action does, would do, or has done to the rows of one table.

    Attributes:
        table: The table's name, with the schema if there is one.
        action: The action's word, such as ``"redact"``.
        through: The relationships that find the rows.
        columns: The columns whose values change.
        levels: For each column with a rule, what is true of its value afterwards.
        rows: How many rows change.
        reached: How many rows the relationships find. A post that doesn't mention the user is
            found and doesn't change. None if it is not counted yet, as in a receipt of redacted
            rows before it is finalized.
        until: The last day on which retained rows must be kept.
        reason: Why retained rows are kept.
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


def summed_steps(some: tuple[Step, ...], more: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of the same policy with the rows of both; *some* may be empty."""
    if not some:
        return more
    return tuple(
        replace(
            one,
            rows=one.rows + other.rows,
            reached=None if one.reached is None else one.reached + (other.reached or 0),
            until=max((end for end in (one.until, other.until) if end), default=None),
        )
        for one, other in zip(some, more, strict=True)
    )


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
    """The dry run of an account closure: what would happen, counted in the database.

    A plan is frozen and has no connection. Pass it to `Eraser.close_account`, which refuses it if
    the counts have changed since.

    Attributes:
        table: The users' table.
        subject: The primary key as you passed it. Receipts and records have only the fingerprint.
        fingerprint: The keyed fingerprint of the primary key.
        policy: The policy's digest.
        steps: What would happen to each table, credentials first and the user's own row last.
            Empty if the account is closed.
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
        """Return the plan as a table to read, one line for each step."""
        return explain(self)

    def to_json(self) -> str:
        """Return the plan as canonical JSON: equal plans have equal texts."""
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
    """Return *plan* as a table: one line for each step, then the sum."""
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
