"""One open socket, written to by its own loop and by everybody who pushes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Why we close a socket; docs/how-to/live.md says it to those who write pages.
TOO_LARGE = 1009
FAILED = 1011
LOGGED_OUT = 4401
TOO_FAST = 4429
TOO_MANY = 4430

_SECONDS = 5.0
# A page that reads nothing is given up before what waits for it fills the memory.
_MOST_UNREAD = 64

# What a socket that is gone may answer, depending on the server and its state.
_GONE = (OSError, RuntimeError, TimeoutError)


@dataclass(frozen=True, eq=False)
class Socket:
    """One accepted websocket of an ASGI server.

    Attributes:
        connection: What the host knows it by, and asks who is behind it.
        receive: Returns its next ASGI message.
        send: Sends an ASGI message; raises OSError where nobody is there any more.
        say: Puts a sentence of ours into the language of whoever reads it there.
        to: Public page of this site where its page goes when it is signed out.
    """

    connection: Any = field(repr=False)
    receive: Callable[[], Awaitable[Mapping[str, Any]]] = field(repr=False)
    send: Callable[[dict[str, Any]], Awaitable[None]] = field(repr=False)
    say: Callable[[str], str] = field(repr=False)
    to: str = "/"


class SocketWriter:
    """The sending side of one accepted socket. Nothing is sent after its end.

    Attributes:
        socket: Where its messages go.
        ended: Whether it takes no more messages.
        over: Set when the last of them has left, or never will.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.ended = False
        self.over = asyncio.Event()
        self._unread = 0

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, unless the socket has ended.

        Raises:
            TypeError: It holds a value JSON does not know.
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
        """Send the page its log-out and close: it leaves for *to* and does not come back."""
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
        TypeError: It holds a value JSON does not know.
        ValueError: It holds a number JSON does not know.
    """
    return json.dumps(message, allow_nan=False)
