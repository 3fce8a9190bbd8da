"""Keep track of the block that shows closed accounts, for all integrations that hide them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class _Block:
    """One `include_closed` block. A task that outlives the block sees that it has ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


# A context variable, because one thread may serve several requests at the same time.
_block: ContextVar[_Block | None] = ContextVar("efface_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Show closed accounts to queries in this block, and in tasks that start inside it.

    It works the same with SQLAlchemy and with Django. For one statement of SQLAlchemy use
    ``.execution_options(include_closed=True)``, for one queryset of Django ``.include_closed()``.

    Example:
        with include_closed():
            user = session.get(User, 7)  # found, although the account is closed
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        # A task that started inside has a copy of the context, which `reset` does not change. The
        # flag is shared, so the task stops seeing closed accounts when the block ends.
        block.is_open = False
        _block.reset(token)


def in_block() -> bool:
    """Return whether the code runs in an `include_closed` block."""
    return this_block() is not None


def this_block() -> object | None:
    """Return the current `include_closed` block, or None. It is the same object until its end."""
    block = _block.get()
    return block if block is not None and block.is_open else None
