"""What commands print: text as it is for people, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
def working(what: str) -> Iterator[None]:
    """Show *what* takes its time, on a terminal only."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield


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
