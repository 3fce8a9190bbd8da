"""Ask the application what prevents closing an account, by every way of closing one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from efface.eraser.callers_transaction import Bind
from efface.errors import BlockedError, BlockerTypeError

Blockers = Callable[[Any, Any], Iterable[Any]]
"""Takes a session and the primary key, and returns reasons not to close the account now."""


@dataclass(frozen=True)
class BlockerCheck:
    """What to ask before an account is closed, under the lock on its row.

    Attributes:
        bind: The caller's session or connection.
        everywhere: The function that every way of closing an account asks; it takes a session.
        here: The function of this call, which takes *bind* as it is.
        override: Why accounts are closed in spite of blockers, or None.
    """

    bind: Bind
    everywhere: Blockers | None = None
    here: Blockers | None = None
    override: str | None = None

    def reasons(self, pk: Any) -> tuple[Any, ...]:
        """Return what prevents closing the account now.

        Raises:
            BlockerTypeError: a function returned something else, such as None without ``return``.
        """
        found: tuple[Any, ...] = ()
        if self.everywhere is not None:
            with session_of(self.bind) as session:
                found += _required(self.everywhere(session, pk))
        if self.here is not None:
            found += _required(self.here(self.bind, pk))
        return found

    def require_none(self, pks: Iterable[Any]) -> str | None:
        """Return the reason of an override that was needed, or None if nothing blocks.

        Raises:
            BlockedError: something blocks, and there is no override.
        """
        found = {pk: reasons for pk in pks if (reasons := self.reasons(pk))}
        if found and self.override is None:
            raise BlockedError([each for reasons in found.values() for each in reasons], [*found])
        return self.override if found else None


def _required(found: object) -> tuple[Any, ...]:
    # You can also iterate over a text, and over a mapping.
    if not isinstance(found, Iterable) or isinstance(found, (str, bytes, Mapping)):
        raise BlockerTypeError(type(found).__name__)
    return tuple(found)


@contextmanager
def session_of(bind: Bind) -> Iterator[Any]:
    """Yield *bind*, or a session in its transaction if it is a connection."""
    if not isinstance(bind, Connection):
        yield bind
        return
    # Here, because a program without sessions needs no ORM.
    from sqlalchemy.orm import Session  # noqa: PLC0415

    with Session(bind, join_transaction_mode="rollback_only") as session:
        yield session
        # A function that asks may also write, such as a lock of its own.
        session.flush()
