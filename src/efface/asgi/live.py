"""HOST · The live socket of Starlette: who is behind it, and whether it comes from this site."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from efface.asgi import csrf
from efface.asgi.negotiated_language import chosen
from efface.live import live_event
from efface.live.broker import Broker
from efface.live.frames import LARGEST
from efface.live.open_sockets import OpenSockets
from efface.live.socket_writer import Socket
from efface.page.local_paths import require_local_path

Identify = Callable[[HTTPConnection], Any]


class LiveEvent(live_event.LiveEvent):
    """One event of a page, given to its handler.

    Attributes:
        subject: Key of the person, confirmed anew for this event.
        name: Name of the event.
        payload: What the page sent with it. Treat it as hostile.
    """

    @property
    def websocket(self) -> WebSocket:
        """Return the socket the event came through, with the session of its handshake."""
        return cast("WebSocket", self.connection)


class Live(OpenSockets):
    """The live sockets of one process, by person.

    What is told here is told to the sockets of the other workers too, by way of the
    broker. A socket that does not hear of the end of its session notices at its next
    event, because each event confirms the session anew.

    Its `running` belongs into the lifespan of your application; `AccountClosing` does that
    for its own.

    Args:
        identify: Takes the connection and returns the person's key or None; sync or
            async. It must read the session's token from the database each time.
        redirect_path: Public page of this site where a signed-out page goes.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
        largest_message: Characters of a message from a page. A longer one ends its socket.
        sockets_per_person: How many a person may hold open in this process.
        broker: Reaches the other workers: `efface.live.redis.RedisBroker`. Without one
            this process is alone.
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
        if not csrf.admits_socket(websocket, self._trusted):
            # Before accept: the server answers the handshake with 403.
            await websocket.close()
            return

        async def send(message: dict[str, Any]) -> None:
            try:
                await websocket.send(message)
            except WebSocketDisconnect:
                raise ConnectionError from None

        def say(sentence: str) -> str:
            return chosen(websocket, None).say(sentence)

        try:
            await websocket.accept()
        except WebSocketDisconnect:
            return
        await self.serve(Socket(websocket, websocket.receive, send, say, self._to))
