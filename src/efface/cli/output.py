"""What commands print: text as it is for people, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from efface.evidence.receipt import Receipt


def say(text: str) -> None:
    """Print *text* as it is, so that it can be read and piped."""
    typer.echo(text)


def say_json(data: Any) -> None:
    """Print *data* as JSON."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show *what* takes its time, on a terminal only; give what shows something else instead."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what) as status:
            yield status.update
    else:
        yield lambda _: None


def receipt_text(receipt: Receipt) -> str:
    """Return *receipt* as text for people: what went, what stayed and until when."""
    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"Closed · receipt {receipt.reference} · {moment} · {receipt.actor}", ""]
    width = max((len(step.table) for step in receipt.steps), default=0)
    for step in receipt.steps:
        number = step.reached if step.until and step.reached is not None else step.rows
        until = f"   until {step.until.isoformat()}: {step.because}" if step.until else ""
        rows = f"{number:>6} {'row' if number == 1 else 'rows'}"
        lines.append(f"  {step.action:<8} {step.table:<{width}} {rows}{until}")
    if receipt.already_closed:
        lines += ["", "  This account was closed before; nothing was changed."]
    if receipt.search is not None:
        lines += ["", f"  {receipt.search.summary()}"]
    return "\n".join(lines)


def closing_line(receipt: Receipt) -> str:
    """Return one line about a recorded closing and what became of it."""
    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M")
    state = "not settled"
    if receipt.settled_at is not None:
        state = "settled, not searched"
    if receipt.search is not None:
        state = "clean" if receipt.search.is_clean else "something was left"
    kept = f" · kept until {receipt.kept_until.isoformat()}" if receipt.kept_until else ""
    return f"{moment}  {receipt.reference}  {receipt.actor} · {state}{kept}"
