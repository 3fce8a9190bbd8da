"""Keep the open WebSockets of one process by user, and send them events.

A page sends ``{"id", "event", "payload"}``. The server answers each message once, in order, with
``{"ack": id, "status", "message"?, "payload"?}``, where the status is ok, refused or error. It
also sends events, as ``{"event", "payload"}``.
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

# How long one slow device may delay the caller.
_LONGEST_WAIT = 0.25


class OpenSockets(ABC):
    """Keep the open WebSockets of one process, by user.

    `push`, `broadcast`, `end` and `recheck` also reach the sockets of other workers, through the
    broker. If a signal is lost, the socket notices the end of its session at its next event.
    Each integration says which user is behind a socket.

    Args:
        largest_message: How many characters a message from a page may have. A longer message ends
            its socket.
        sockets_per_person: How many sockets one user may have open in this process.
        broker: Reaches the other workers, such as `efface.live.redis.RedisBroker`. Without one,
            only this process is reached.
    """

    event: type[LiveEvent] = LiveEvent
    """The class of the events that handlers get."""

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

        The handler takes a `LiveEvent`.

        Raises:
            ValueError: The event already has a handler.

        Example:
            With ``live`` being a `Live`::

                @live.on("rename_list")
                async def rename_list(event):
                    event.reply({"name": await rename(event.subject, event.payload["name"])})
        """

        def register(handler: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f'The live event "{name}" already has a handler.')
            self._handlers[name] = handler
            return handler

        return register

    def count(self, subject: Hashable) -> int:
        """Return how many sockets a user has open in this process."""
        # A socket that was closed is forgotten only when its message loop has ended.
        return sum(not writer.ended for writer in self._writers.get(subject, ()))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Connect with the other workers as long as the context lasts.

        Enter it in the lifespan of your application.
        """
        return self._broker.running()

    async def push(self, subject: Hashable, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to every open socket of a user.

        Pages that aren't connected at this moment don't get it later.

        Raises:
            TypeError: *payload* contains a value that JSON doesn't have.
            ValueError: The event is longer than a message may be.
        """
        await self._push(self._writers_of(subject), self._broker.topic(subject), event, payload)

    async def broadcast(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to the open sockets of all users.

        Sessions are not checked again, so send only what every visitor may know.

        Raises:
            TypeError: *payload* contains a value that JSON doesn't have.
            ValueError: The event is longer than a message may be.
        """
        await self._push(self._all_writers(), None, event, payload)

    async def end(self, subject: Hashable, *, besides: object = None) -> None:
        """Log out and close all open sockets of a user, except that of the connection *besides*."""
        writers = [
            writer
            for writer in self._writers_of(subject)
            if writer.socket.connection is not besides
        ]
        signal = Signal("end", self._broker.topic(subject))
        await self._send_all([self._tell_others(signal), *(writer.end() for writer in writers)])

    async def recheck(self, subject: Hashable) -> None:
        """Log out and close the sockets of a user whose session has ended.

        Call it after you have deleted session tokens and committed, which is at a logout, after a
        change of the password, and when another user logs in. Sockets of other sessions stay open.
        """
        signal = Signal("recheck", self._broker.topic(subject))
        await self._send_all([self._tell_others(signal)])
        await self._recheck(self._writers_of(subject), subject)

    @abstractmethod
    async def who(self, connection: Any) -> Hashable | None:
        """Return the user's primary key for a connection, asked again each time, or None."""

    async def serve(self, socket: Socket) -> None:
        """Serve one accepted socket until it ends."""
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
            # Asked again, because a closing that was committed between the first answer and the
            # line above has ended all sockets that it knew, and not this one.
            if await self.who(socket.connection) == subject:
                await self._message_loop(writer, subject).run()
            else:
                await writer.end()
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("A WebSocket was closed after a failure", error)
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
        """Do here what another process has done for its own sockets."""
        if signal.topic is None:
            subjects = list(self._writers)
        else:
            subjects = [s for s in (self._topics.get(signal.topic),) if s is not None]
        writers = [writer for subject in subjects for writer in self._writers_of(subject)]
        if signal.kind == "end":
            await self._send_all(writer.end() for writer in writers)
        elif signal.kind == "push":
            text = as_json({"event": signal.event, "payload": signal.payload})
            await self._send_all(writer.send_text(text) for writer in writers)
        else:
            # It reads the database, and the next signal must not wait for it.
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
            raise ValueError(f"An event has at most {LARGEST} characters, and this one is longer.")
        signal = Signal("push", topic, event, dict(payload))
        sendings = (writer.send_text(text) for writer in writers)
        await self._send_all([self._tell_others(signal), *sendings])

    async def _recheck(self, writers: Iterable[SocketWriter], subject: Hashable) -> None:
        for writer in writers:
            if await self.who(writer.socket.connection) != subject:
                await self._send_all([writer.end()])

    async def _recheck_quietly(self, subject: Hashable) -> None:
        try:
            await self._recheck(self._writers_of(subject), subject)
        except Exception as error:  # noqa: BLE001  (it has no caller)
            report("Checking the sessions of sockets failed", error)

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

    async def _send_all(self, sendings: Iterable[Awaitable[Any]]) -> None:
        """Run all together, and wait only briefly for the slow ones."""
        tasks = {self._keep(sending) for sending in sendings}
        if tasks:
            await asyncio.wait(tasks, timeout=_LONGEST_WAIT)

    def _keep(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        # The event loop itself keeps only weak references to tasks.
        task = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task
