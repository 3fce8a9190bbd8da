"""Include closed accounts in queries for the length of a block, in every integration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class _Block:
    """One `include_closed` block, which ends also for tasks that run longer than it."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


# A context variable, because one thread may serve several requests at the same time.
_block: ContextVar[_Block | None] = ContextVar("efface_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Include closed accounts in the queries of this block and of tasks started in it.

    For a single query use ``.execution_options(include_closed=True)`` with SQLAlchemy and
    ``.include_closed()`` with Django.
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        # A task started in the block has a copy of the context, where reset() has no effect.
        block.is_open = False
        _block.reset(token)


def in_block() -> bool:
    """Return whether the caller runs in an `include_closed` block."""
    return this_block() is not None


def this_block() -> object | None:
    """Return the current `include_closed` block, the same object until its end, or None."""
    block = _block.get()
    return block if block is not None and block.is_open else None
