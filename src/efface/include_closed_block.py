"""The block in which closed accounts are shown: one for all hosts that hide them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class _Block:
    """One `include_closed` block; a task that outlives it finds it ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_block: ContextVar[_Block | None] = ContextVar("efface_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Show closed accounts to what is asked in this block, and in tasks started inside it.

    For one statement of SQLAlchemy use ``.execution_options(include_closed=True)``, for one
    queryset of Django ``.include_closed()``.
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        # A task started inside holds a copy of the context: it must not see on past the end.
        block.is_open = False
        _block.reset(token)


def in_block() -> bool:
    """Return whether this runs in an `include_closed` block."""
    return this_block() is not None


def this_block() -> object | None:
    """Return the `include_closed` block in which this runs; it is the same object to its end."""
    block = _block.get()
    return block if block is not None and block.is_open else None
