"""Print results on standard output, so you can pipe them, and progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console


def print_result(text: str) -> None:
    """Print *text* unchanged, without markup or line wrapping."""
    typer.echo(text)


@contextmanager
def show_progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show *what* on a terminal until the block ends. Yield a function that replaces the text."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what) as status:
            yield status.update
    else:
        yield lambda _: None
