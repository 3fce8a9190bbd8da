"""What one process tells the others about its live sockets, and who carries it.

A broker carries signals and remembers none: whoever was not listening does not hear them later.
Nothing depends on their arrival. A session is asked anew for every event of its page.
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
        kind: End the sockets, ask who is behind them anew, or send them an event.
        topic: Whose sockets, as `Broker.topic` names the person; None for everybody's.
        event: Name of a pushed event.
        payload: What is pushed with it.
    """

    kind: Kind
    topic: str | None
    event: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)


Hear = Callable[[Signal], Awaitable[None]]
Tell = Callable[[Signal], Awaitable[None]]


class Broker(Protocol):
    """Carries signals between the processes of one site."""

    def topic(self, subject: Hashable) -> str:
        """Return a name for the person, the same in all processes of the site."""

    def join(self, hear: Hear) -> Tell:
        """Hand over what others tell to *hear*, and return the way to tell them.

        Telling never raises, and ends within seconds whatever has become of the others.
        """

    def announce(self, signal: Signal) -> None:
        """Tell the others from a process without an event loop, as a command is.

        It never raises, and ends within seconds whatever has become of the others.
        """

    def running(self) -> AbstractAsyncContextManager[None]:
        """Carry signals for as long as the context lasts, in the event loop of the site."""


class MemoryBroker:
    """Carries signals between the `Live` of one process: all there is to a single worker."""

    def __init__(self) -> None:
        self._hearing: list[Hear] = []

    def topic(self, subject: Hashable) -> str:
        """Return a name for the person; it never leaves the process."""
        return repr(subject)

    def join(self, hear: Hear) -> Tell:
        """Hand over what others tell to *hear*, and return the way to tell them."""
        self._hearing.append(hear)

        async def tell(signal: Signal) -> None:
            for other in self._hearing:
                if other is not hear:
                    await other(signal)

        return tell

    def announce(self, signal: Signal) -> None:
        """Do nothing: whoever would hear it needs an event loop."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: memory is always there."""
        yield
