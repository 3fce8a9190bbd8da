"""How somebody asks to see closed accounts: for a block, or for one queryset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

ASKED = "_efface_include_closed"
"""The attribute of a query that asks; Django's clones of the query have it too."""


class _Block:
    """One `include_closed` block; a task that outlives it finds it ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_block: ContextVar[_Block | None] = ContextVar("efface_django_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Show closed accounts to the querysets that run in this block, and in tasks started inside.

    For one queryset use ``.include_closed()``.
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
    block = _block.get()
    return block is not None and block.is_open


def is_asked_for(query: Any) -> bool:
    """Return whether a block is open, or *query* itself asks."""
    return ASKED in query.__dict__ or in_block()


def asking(queryset: Any) -> Any:
    """Return *queryset* so that it finds closed accounts too."""
    found = queryset._chain()
    ask(found.query)
    return found


def ask(query: Any) -> None:
    """Let *query* find closed accounts, and the queries that it unites."""
    setattr(query, ASKED, True)
    united = tuple(each.clone() for each in query.combined_queries)
    for each in united:
        ask(each)
    query.combined_queries = united
