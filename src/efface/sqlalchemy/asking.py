"""How somebody asks to see closed accounts: for a block, or for one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

OPTION = "include_closed"
"""The execution option of one statement, or of a whole session."""


class _Block:
    """One `include_closed` block; a task that outlives it finds it ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_block: ContextVar[_Block | None] = ContextVar("efface_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Show closed accounts to the statements of this block, and of tasks started inside it.

    For one statement use ``.execution_options(include_closed=True)``.
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        # A task started inside holds a copy of the context: it must not see on past the end.
        block.is_open = False
        _block.reset(token)


def is_asked_for(options: Mapping[str, Any]) -> bool:
    """Return whether a block is open, or a statement's execution *options* ask."""
    block = _block.get()
    return (block is not None and block.is_open) or bool(options.get(OPTION))
