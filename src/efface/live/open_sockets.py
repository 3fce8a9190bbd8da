"""The open sockets of one process, by person: events from pages, acks and pushed events.

Client ``{"id", "event", "payload"}``; server ``{"ack": id, "status", "message"?, "payload"?}``
with status ok, refused or error, and ``{"event", "payload"}``. Messages of one socket are
handled one by one, in order, each with one ack.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from efface.live.broker import Broker, MemoryBroker, Signal
from efface.live.frames import LARGEST
from efface.live.live_event import Handler, LiveEvent
from efface.live.message_loop import MessageLoop
from efface.live.socket_writer import FAILED, TOO_MANY, Socket, SocketWriter, as_json
from efface.safe_logging import reporter

report = reporter("efface.live")

# How long one slow device may delay whoever waits for the others.
_PATIENCE = 0.25


class OpenSockets(ABC):
    """The live sockets of one process, by person; each host says who is behind one.

    What is told here is told to the sockets of the other workers too, by way of the
    broker. A socket that does not hear of the end of its session notices at its next
    event, because each event confirms the session anew.

    Args:
        largest_message: Characters of a message from a page. A longer one ends its socket.
        sockets_per_person: How many a person may hold open in this process.
        broker: Reaches the other workers: `efface.live.redis.RedisBroker`. Without one
            this process is alone.
    """

    event: type[LiveEvent] = LiveEvent
    """What handlers are given."""

    def __init__(
        self,
        *,
        largest_message: int = LARGEST,
        sockets_per_person: int = 50,
        broker: Broker | None = None,
    ) -> None:
        self._largest = largest_message
        self._most = sockets_per_person
        self._broker = broker or MemoryBroker()
        self._tell_others = self._broker.join(self._hear)
        self._handlers: dict[str, Handler] = {}
        self._writers: defaultdict[Hashable, set[SocketWriter]] = defaultdict(set)
        self._topics: dict[str, Hashable] = {}
        self._late: set[asyncio.Task[Any]] = set()

    def on(self, name: str) -> Callable[[Handler], Handler]:
        """Return a decorator that makes an async function the handler of an event.

        Raises:
            ValueError: The event has a handler already.
        """

        def register(handler: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f'The live event "{name}" has a handler already.')
            self._handlers[name] = handler
            return handler

        return register

    def count(self, subject: Hashable) -> int:
        """Return the number of open sockets of a person in this process."""
        # One that has been closed is forgotten only when its conversation is over.
        return sum(not writer.ended for writer in self._writers.get(subject, ()))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Connect with the other workers for as long as the context lasts.

        It belongs into the lifespan of the application.
        """
        return self._broker.running()

    async def push(self, subject: Hashable, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to every open socket of a person.

        Whoever is not connected at this moment does not get it later.

        Raises:
            TypeError: *payload* holds a value JSON does not know.
            ValueError: It is longer than a message may be.
        """
        await self._push(self._writers_of(subject), self._broker.topic(subject), event, payload)

    async def broadcast(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to the open sockets of everybody who is signed in.

        Sessions are not asked anew for it: tell what all visitors may know.

        Raises:
            TypeError: *payload* holds a value JSON does not know.
            ValueError: It is longer than a message may be.
        """
        await self._push(self._all_writers(), None, event, payload)

    async def end(self, subject: Hashable, *, besides: object = None) -> None:
        """Sign out and close every open socket of a person, save perhaps that of one connection."""
        writers = [
            writer
            for writer in self._writers_of(subject)
            if writer.socket.connection is not besides
        ]
        signal = Signal("end", self._broker.topic(subject))
        await self._patiently([self._tell_others(signal), *(writer.end() for writer in writers)])

    async def recheck(self, subject: Hashable) -> None:
        """Sign out and close the sockets of a person whose session is gone.

        Call it after you have deleted session tokens and committed: at log-out, at a change
        of the password, when another person signs in. Sockets of other sessions stay.
        """
        signal = Signal("recheck", self._broker.topic(subject))
        await self._patiently([self._tell_others(signal)])
        await self._recheck(self._writers_of(subject), subject)

    @abstractmethod
    async def who(self, connection: Any) -> Hashable | None:
        """Return the key of the person behind a connection, asked anew."""

    async def serve(self, socket: Socket) -> None:
        """Serve one accepted socket until its end."""
        writer = SocketWriter(socket)
        subject: Hashable | None = None
        try:
            subject = await self.who(socket.connection)
            if subject is None:
                await writer.end()
                return
            if self.count(subject) >= self._most:
                await writer.close(TOO_MANY)
                return
            self._remember(subject, writer)
            # Asked again: a closing committed between the first answer and the line
            # above has told every socket it knew, and this one was not among them.
            if await self.who(socket.connection) == subject:
                await self._message_loop(writer, subject).run()
            else:
                await writer.end()
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("A live socket was closed after a failure", error)
            await writer.close(FAILED)
        finally:
            self._forget(subject, writer)

    def _message_loop(self, writer: SocketWriter, subject: Hashable) -> MessageLoop:
        return MessageLoop(
            writer,
            subject,
            who=self.who,
            event=self.event,
            handlers=self._handlers,
            largest_message=self._largest,
        )

    async def _hear(self, signal: Signal) -> None:
        """Do here what another process has done there."""
        if signal.topic is None:
            subjects = list(self._writers)
        else:
            subjects = [s for s in (self._topics.get(signal.topic),) if s is not None]
        writers = [writer for subject in subjects for writer in self._writers_of(subject)]
        if signal.kind == "end":
            await self._patiently(writer.end() for writer in writers)
        elif signal.kind == "push":
            text = as_json({"event": signal.event, "payload": signal.payload})
            await self._patiently(writer.send_text(text) for writer in writers)
        else:
            # It reads the database, and the next signal must not wait for that.
            for subject in subjects:
                self._keep(self._recheck_quietly(subject))

    async def _push(
        self,
        writers: Iterable[SocketWriter],
        topic: str | None,
        event: str,
        payload: Mapping[str, Any],
    ) -> None:
        text = as_json({"event": event, "payload": dict(payload)})
        if len(text) > LARGEST:
            raise ValueError(f"A pushed event has at most {LARGEST} characters.")
        signal = Signal("push", topic, event, dict(payload))
        sendings = (writer.send_text(text) for writer in writers)
        await self._patiently([self._tell_others(signal), *sendings])

    async def _recheck(self, writers: Iterable[SocketWriter], subject: Hashable) -> None:
        for writer in writers:
            if await self.who(writer.socket.connection) != subject:
                await self._patiently([writer.end()])

    async def _recheck_quietly(self, subject: Hashable) -> None:
        try:
            await self._recheck(self._writers_of(subject), subject)
        except Exception as error:  # noqa: BLE001  (nobody waits for it)
            report("Asking sockets anew failed", error)

    def _all_writers(self) -> list[SocketWriter]:
        return [writer for writers in self._writers.values() for writer in writers]

    def _writers_of(self, subject: Hashable) -> list[SocketWriter]:
        return list(self._writers.get(subject, ()))

    def _remember(self, subject: Hashable, writer: SocketWriter) -> None:
        self._writers[subject].add(writer)
        self._topics[self._broker.topic(subject)] = subject

    def _forget(self, subject: Hashable | None, writer: SocketWriter) -> None:
        writers = self._writers.get(subject)
        if writers is not None:
            writers.discard(writer)
            if not writers:
                del self._writers[subject]
                self._topics.pop(self._broker.topic(subject), None)

    async def _patiently(self, sendings: Iterable[Awaitable[Any]]) -> None:
        """Run all at once, and wait for the slow ones only so long."""
        tasks = {self._keep(sending) for sending in sendings}
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    def _keep(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        # The event loop itself keeps only weak references to tasks.
        task = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task
