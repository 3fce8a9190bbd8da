"""Carry signals about WebSockets between the processes of a site.

A broker stores no signals, so a process that isn't listening never gets them. That is safe,
because each event of a page checks its session again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Kind = Literal["end", "recheck", "push"]


@dataclass(frozen=True)
class Signal:
    """One thing for the other processes to do.

    Attributes:
        kind: End the sockets, check their sessions again, or send them an event.
        topic: The name that `Broker.topic` gives the user, or None for all users.
        event: The name of a pushed event.
        payload: The data of a pushed event.
    """

    kind: Kind
    topic: str | None
    event: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)


Hear = Callable[[Signal], Awaitable[None]]
Tell = Callable[[Signal], Awaitable[None]]


class Broker(Protocol):
    """Carry signals between the processes of one site."""

    def topic(self, subject: Hashable) -> str:
        """Return a name for the user, the same in all processes of the site."""

    def join(self, hear: Hear) -> Tell:
        """Pass the signals of others to *hear*, and return the function that sends them one.

        This function never raises, and returns within seconds even if the others are down.
        """

    def announce(self, signal: Signal) -> None:
        """Send a signal from a process without an event loop, such as a command.

        It never raises, and returns within seconds even if the others are down.
        """

    def running(self) -> AbstractAsyncContextManager[None]:
        """Carry signals as long as the context lasts, in the event loop of the site."""


class MemoryBroker:
    """Carry signals between the `Live` objects of one process, which is enough for one worker."""

    def __init__(self) -> None:
        self._hearing: list[Hear] = []

    def topic(self, subject: Hashable) -> str:
        """Return a name for the user; it never leaves the process."""
        return repr(subject)

    def join(self, hear: Hear) -> Tell:
        """Pass the signals of others to *hear*, and return the function that sends them one."""
        self._hearing.append(hear)

        async def tell(signal: Signal) -> None:
            for other in self._hearing:
                if other is not hear:
                    await other(signal)

        return tell

    def announce(self, signal: Signal) -> None:
        """Do nothing, because only a process with an event loop could hear it."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: memory is always there."""
        yield
