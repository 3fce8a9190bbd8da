"""Serve the WebSockets of open pages on Starlette."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from efface.asgi import csrf
from efface.asgi.negotiated_language import choose_language
from efface.live import live_event
from efface.live.broker import Broker
from efface.live.frames import LARGEST
from efface.live.open_sockets import OpenSockets
from efface.live.socket_writer import Socket
from efface.page.local_paths import require_local_path

Identify = Callable[[HTTPConnection], Any]


class LiveEvent(live_event.LiveEvent):
    """One event from a page, passed to its handler.

    The handler may call `refuse`, `fail`, `reply`, `push` or `log_out`. If it returns without
    one of them, the page gets an empty answer with the status ``"ok"``.

    Attributes:
        subject: The user's primary key, confirmed again for this event.
        name: The name of the event.
        payload: What the page sent with it, a dictionary from JSON. Don't trust it.
        websocket: The socket that the event came through, with the session of its handshake.
    """

    @property
    def websocket(self) -> WebSocket:
        """Return the socket that the event came through, with the session of its handshake."""
        return cast("WebSocket", self.connection)


class Live(OpenSockets):
    """Keep the WebSockets of open pages, by user, and send events to them.

    `push`, `broadcast`, `end` and `recheck` also reach the sockets of other workers, through the
    broker. If a signal is lost, the socket notices the end of its session at its next event,
    because each event asks *identify* again.

    Enter `running` in the lifespan of your application. `AccountClosing` does so for its own
    `Live`, which you find as ``closing.live``.

    Args:
        identify: Takes the connection and returns the user's primary key, or None if no user is
            logged in. Sync or async. It must read the session token from the database each time.
        redirect_path: The public page of this site to which a logged-out page goes.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
        largest_message: How many characters a message from a page may have. A longer message ends
            its socket.
        sockets_per_person: How many sockets one user may have open in this process.
        broker: Reaches the other workers, such as `efface.live.redis.RedisBroker`. Without one,
            only this process is reached.

    Raises:
        ValueError: *redirect_path* is not a path on this site.
    """

    event = LiveEvent

    def __init__(
        self,
        identify: Identify,
        *,
        redirect_path: str = "/",
        trusted_origins: Collection[str] = (),
        largest_message: int = LARGEST,
        sockets_per_person: int = 50,
        broker: Broker | None = None,
    ) -> None:
        super().__init__(
            largest_message=largest_message,
            sockets_per_person=sockets_per_person,
            broker=broker,
        )
        self._identify = identify
        self._to = require_local_path("redirect_path", redirect_path)
        self._trusted = tuple(trusted_origins)

    async def who(self, connection: HTTPConnection) -> Hashable | None:
        """Return the user's primary key for a connection, asked again each time, or None."""
        if inspect.iscoroutinefunction(self._identify):
            found = await self._identify(connection)
        else:
            found = await run_in_threadpool(self._identify, connection)
            if isinstance(found, Awaitable):
                found = await found
        key: Hashable | None = found
        return key

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one socket from its handshake to its end."""
        if not csrf.admits_socket(websocket, self._trusted):
            # Before accept, so the server answers the handshake with 403.
            await websocket.close()
            return

        async def send(message: dict[str, Any]) -> None:
            try:
                await websocket.send(message)
            except WebSocketDisconnect:
                raise ConnectionError from None

        def say(sentence: str) -> str:
            return choose_language(websocket, None).say(sentence)

        try:
            await websocket.accept()
        except WebSocketDisconnect:
            return
        await self.serve(Socket(websocket, websocket.receive, send, say, self._to))
