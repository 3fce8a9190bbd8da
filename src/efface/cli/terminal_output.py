"""Where commands print: what can be piped on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console


def say(text: str) -> None:
    """Print *text* as it is, so that it can be read and piped."""
    typer.echo(text)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show *what* takes its time, on a terminal only; give what shows something else instead."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what) as status:
            yield status.update
    else:
        yield lambda _: None
