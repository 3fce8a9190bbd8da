"""Plan → text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efface.plan.steps import Plan, Step


ROWS = 2
"""The column of the table that holds a number, and is set flush right."""


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
        cell.rjust(width) if i == ROWS else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(padded, widths, strict=True))
    ]
    return "   ".join([*columns, note])


def _cells(step: Step) -> tuple[str, str, str, str, str]:
    where = f"through {', '.join(step.through)}" if step.through else "leaves a tombstone"
    note = ", ".join(step.columns)
    if step.until is not None:
        where, note = f"until {step.until.isoformat()}", step.because or ""
    elif step.because:
        note = step.because
    elif step.action == "delete" and not step.through:
        where = "the person's own row"
    reached = step.reached or 0
    if step.columns and step.rows < reached:
        note += f" ({step.rows} of them change)"
    return step.action, step.table, _rows(reached), where, note


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
