"""HOST · The live socket: events from a page, acks and pushed events from the server.

Client ``{"id", "event", "payload"}``; server ``{"ack": id, "status", "message"?, "payload"?}``
with status ok, refused or error, and ``{"event", "payload"}``. Messages of one socket are
handled one by one, in order, each with one ack.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from efface.asgi import csrf
from efface.asgi.frames import LARGEST, Frame, MessageId, UnreadableError, read_frame
from efface.asgi.line import Line
from efface.asgi.origin import comes_from_here
from efface.asgi.paths import require_local_path
from efface.asgi.quiet import report

TOO_LARGE = 1009
_ACKS_KEPT = 128
# How long one slow device may delay whoever waits for the others.
_PATIENCE = 0.25

Identify = Callable[[HTTPConnection], Any]


class LiveEvent:
    """One event of a page, given to its handler.

    Attributes:
        subject: Key of the person, confirmed anew for this event.
        name: Name of the event.
        payload: What the page sent with it. Treat it as hostile.
        websocket: The socket it came through, with the session of its handshake.
    """

    def __init__(self, subject: Hashable, frame: Frame, websocket: WebSocket) -> None:
        self.subject = subject
        self.name = frame.event
        self.payload = frame.payload
        self.websocket = websocket
        self.logs_out = False
        self._answer: dict[str, Any] = {"status": "ok"}

    def reply(self, payload: Mapping[str, Any]) -> None:
        """Send *payload* along with the ack."""
        self._answer["payload"] = dict(payload)

    def refuse(self, message: str) -> None:
        """Answer that the event was understood and not carried out, and why."""
        self._answer = {"status": "refused", "message": message}

    def fail(self, message: str) -> None:
        """Answer that the event could not be carried out for a reason on our side."""
        self._answer = {"status": "error", "message": message}

    def log_out(self) -> None:
        """Send the page its log-out after the ack, and close the socket."""
        self.logs_out = True

    def ack(self, id_: MessageId) -> dict[str, Any]:
        """Return the answer to the message with this id."""
        return {"ack": id_, **self._answer}


Handler = Callable[[LiveEvent], Awaitable[Any]]


class Live:
    """The live sockets of one process, by person.

    Another worker process does not hear `push` and `end`; its sockets of a closed
    account notice at their next event, because each event confirms the session anew.

    Args:
        identify: Takes the connection and returns the person's key or None; sync or
            async. It must read the session's token from the database each time.
        redirect_path: Public page of this site where a signed-out page goes.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
    """

    def __init__(
        self,
        identify: Identify,
        *,
        redirect_path: str = "/",
        trusted_origins: Collection[str] = (),
        largest_message: int = LARGEST,
    ) -> None:
        self._identify = identify
        self._to = require_local_path("redirect_path", redirect_path)
        self._trusted = tuple(trusted_origins)
        self._largest = largest_message
        self._handlers: dict[str, Handler] = {}
        self._lines: defaultdict[Hashable, set[Line]] = defaultdict(set)
        self._late: set[asyncio.Task[Any]] = set()

    def on(self, name: str) -> Callable[[Handler], Handler]:
        """Return a decorator that makes an async function the handler of an event."""

        def register(handler: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f'The live event "{name}" has a handler already.')
            self._handlers[name] = handler
            return handler

        return register

    def count(self, subject: Hashable) -> int:
        """Return the number of open sockets of a person in this process."""
        return len(self._lines.get(subject, ()))

    async def push(self, subject: Hashable, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to every open socket of a person."""
        message = {"event": event, "payload": dict(payload)}
        await self._patiently(line.send(message) for line in self._lines_of(subject))

    async def end(self, subject: Hashable, *, besides: WebSocket | None = None) -> None:
        """Sign out and close every open socket of a person, save perhaps one."""
        lines = [line for line in self._lines_of(subject) if line.websocket is not besides]
        await self._patiently(line.end(self._to) for line in lines)

    async def recheck(self, subject: Hashable) -> None:
        """Sign out and close the sockets of a person whose session is gone.

        Call it after you have deleted session tokens: at log-out, at a change of the
        password, when another person signs in. Sockets of other sessions stay.
        """
        for line in self._lines_of(subject):
            if await self.who(line.websocket) != subject:
                await self._patiently([line.end(self._to)])

    async def who(self, connection: HTTPConnection) -> Hashable | None:
        """Return the key of the person behind a connection, asked anew."""
        if inspect.iscoroutinefunction(self._identify):
            found = await self._identify(connection)
        else:
            found = await run_in_threadpool(self._identify, connection)
            if isinstance(found, Awaitable):
                found = await found
        key: Hashable | None = found
        return key

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one socket from handshake to end."""
        if not self._admits(websocket):
            # Before accept: the server answers the handshake with 403.
            await websocket.close()
            return
        await websocket.accept()
        line = Line(websocket)
        subject: Hashable | None = None
        try:
            subject = await self.who(websocket)
            if subject is None:
                await line.end(self._to)
                return
            self._lines[subject].add(line)
            # Asked again: a closing committed between the first answer and the line
            # above has told every socket it knew, and this one was not among them.
            if await self.who(websocket) == subject:
                await self._serve(line, subject)
            else:
                await line.end(self._to)
        except WebSocketDisconnect:
            pass
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("A live socket was closed after a failure", error)
            await line.close(1011)
        finally:
            self._forget(subject, line)

    def _admits(self, websocket: WebSocket) -> bool:
        token = websocket.query_params.get(csrf.FIELD)
        others = [(k, v) for k, v in websocket.query_params.multi_items() if k != csrf.FIELD]
        # Servers log the address of a handshake when it is answered; the token is
        # not to be in it.
        websocket.scope["query_string"] = urlencode(others).encode("ascii")
        # A browser always names its origin here, so silence is no excuse.
        if not comes_from_here(websocket, self._trusted):
            return False
        return csrf.token_matches(csrf.session_of(websocket.scope), token)

    async def _serve(self, line: Line, subject: Hashable) -> None:
        acks: OrderedDict[MessageId, dict[str, Any]] = OrderedDict()
        while not line.ended:
            message = await line.websocket.receive()
            if message["type"] == "websocket.disconnect" or line.ended:
                return
            if len(message.get("text") or message.get("bytes") or "") > self._largest:
                await line.close(TOO_LARGE)
                return
            try:
                frame = read_frame(message)
            except UnreadableError as error:
                await line.send({"ack": error.id, "status": "error", "message": error.message})
                continue
            if frame.id in acks:
                await line.send(acks[frame.id])
                continue
            event = await self._handle(frame, line, subject)
            if event is None:
                await line.end(self._to)
                return
            acks[frame.id] = event.ack(frame.id)
            if len(acks) > _ACKS_KEPT:
                acks.popitem(last=False)
            await line.send(acks[frame.id])
            if event.logs_out:
                await line.end(self._to)

    async def _handle(self, frame: Frame, line: Line, subject: Hashable) -> LiveEvent | None:
        """Return the event with its answer, or None where the session is gone."""
        event = LiveEvent(subject, frame, line.websocket)
        try:
            if await self.who(line.websocket) != subject:
                return None
            handler = self._handlers.get(frame.event)
            if handler is None:
                event.fail("The server does not know this event. Reload the page.")
            else:
                await handler(event)
                line.check(event.ack(frame.id))
        except WebSocketDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The handler of a live event failed", error)
            event.fail("This did not work just now. Try again in a moment.")
        return event

    def _lines_of(self, subject: Hashable) -> list[Line]:
        return list(self._lines.get(subject, ()))

    def _forget(self, subject: Hashable | None, line: Line) -> None:
        lines = self._lines.get(subject)
        if lines is not None:
            lines.discard(line)
            if not lines:
                del self._lines[subject]

    async def _patiently(self, sendings: Iterable[Awaitable[Any]]) -> None:
        """Run all at once, and wait for the slow ones only so long."""
        tasks = {asyncio.ensure_future(sending) for sending in sendings}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE)
            self._late |= late
            for task in late:
                task.add_done_callback(self._late.discard)
