"""Write to one open WebSocket, from its own message loop and from every push."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Why we close a socket; docs/how-to/live.md explains these codes.
TOO_LARGE = 1009
FAILED = 1011
LOGGED_OUT = 4401
TOO_FAST = 4429
TOO_MANY = 4430

_SECONDS = 5.0
# We give up on a page that reads nothing, before its messages fill the memory.
_MOST_UNREAD = 64

# The errors of a socket that is gone, depending on the server and its state.
_GONE = (OSError, RuntimeError, TimeoutError)


@dataclass(frozen=True, eq=False)
class Socket:
    """One accepted WebSocket of an ASGI server.

    Attributes:
        connection: The integration's object for it, by which the user is identified.
        receive: Returns its next ASGI message.
        send: Sends an ASGI message; raises OSError if the socket is gone.
        say: Translates one of our sentences for its user.
        to: The public page of this site to which its page goes when it is logged out.
    """

    connection: Any = field(repr=False)
    receive: Callable[[], Awaitable[Mapping[str, Any]]] = field(repr=False)
    send: Callable[[dict[str, Any]], Awaitable[None]] = field(repr=False)
    say: Callable[[str], str] = field(repr=False)
    to: str = "/"


class SocketWriter:
    """Send the messages of one accepted socket, and nothing after its end.

    Attributes:
        socket: The socket.
        ended: True if it sends no more messages.
        over: Set when the last message is sent, or never will be.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.ended = False
        self.over = asyncio.Event()
        self._unread = 0

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, unless the socket has ended.

        Raises:
            TypeError: It contains a value that JSON doesn't have.
        """
        await self.send_text(as_json(message))

    async def send_text(self, text: str) -> None:
        """Send a message that is JSON already."""
        if self.ended:
            return
        if self._unread >= _MOST_UNREAD:
            self._give_up()
            return
        self._unread += 1
        try:
            await self._try(self.socket.send({"type": "websocket.send", "text": text}))
        finally:
            self._unread -= 1

    async def end(self, to: str | None = None) -> None:
        """Log out the page, send it *to* a path of this site, and close the socket."""
        await self.send({"event": "logout", "payload": {"to": to or self.socket.to}})
        await self.close(LOGGED_OUT)

    async def close(self, code: int) -> None:
        """Close the socket, once."""
        if not self.ended:
            self.ended = True
            await self._try(self.socket.send({"type": "websocket.close", "code": code}))
            self.over.set()

    async def _try(self, sending: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(sending, _SECONDS)
        except _GONE:
            self._give_up()

    def _give_up(self) -> None:
        self.ended = True
        self.over.set()


def as_json(message: Mapping[str, Any]) -> str:
    """Return the message as JSON.

    Raises:
        TypeError: It contains a value that JSON doesn't have.
        ValueError: It contains a number that JSON doesn't have.
    """
    return json.dumps(message, allow_nan=False)
