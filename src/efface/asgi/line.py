"""HOST · One open socket, written to by its own loop and by everybody who pushes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

SIGNED_OUT = 4401
_SECONDS = 5.0

# What a socket that is gone may answer, depending on the server and its state.
_GONE = (OSError, RuntimeError, WebSocketDisconnect, TimeoutError)


class Line:
    """The sending side of one accepted socket. Nothing is sent after its end."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.ended = False

    @staticmethod
    def check(message: Mapping[str, Any]) -> str:
        """Return the message as JSON.

        Raises:
            TypeError: It holds a value JSON does not know.
        """
        return json.dumps(message, allow_nan=False)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, unless the socket has ended."""
        text = self.check(message)
        if not self.ended:
            await self._try(self.websocket.send_text(text))

    async def end(self, to: str) -> None:
        """Send the page its log-out and close: it leaves for *to* and does not come back."""
        await self.send({"event": "logout", "payload": {"to": to}})
        await self.close(SIGNED_OUT)

    async def close(self, code: int) -> None:
        """Close the socket, once."""
        if not self.ended:
            self.ended = True
            await self._try(self.websocket.close(code))

    async def _try(self, sending: Any) -> None:
        try:
            await asyncio.wait_for(sending, _SECONDS)
        except _GONE:
            self.ended = True
