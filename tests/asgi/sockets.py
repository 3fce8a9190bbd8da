"""One live socket as a test sees it: connected as a page does, read message by message."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PROGRESS = "closing_progress"
LOGOUT = {"event": "logout", "payload": {"to": "/"}}


class Socket:
    """One live socket as a test sees it."""

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, event, payload=None, id=1):  # noqa: A002
        message = {"id": id, "event": event, "payload": payload or {}}
        await self.websocket.send(json.dumps(message))

    async def hear(self):
        """Return the next message, whatever it is."""
        return json.loads(await asyncio.wait_for(self.websocket.recv(), 10))

    async def receive(self):
        """Return the next message that says more than how far a closing is.

        A machine that is busy may take so long for one that it says so.
        """
        while (message := await self.hear()).get("event") == PROGRESS:
            pass
        return message

    async def ask(self, event, payload=None, id=1):  # noqa: A002
        await self.send(event, payload, id)
        return await self.receive()

    async def ready(self):
        """Wait until the server counts this socket among the person's."""
        await self.ask("unknown", id="ready")

    async def end(self):
        """Return the close code; fail where anything else comes first."""
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(self.websocket.recv(), 10)
        return self.websocket.close_code


@asynccontextmanager
async def live(browser, token=None, **headers):
    """Connect as a page of this browser does."""
    token = await browser.token() if token is None else token
    address = str(browser.base_url).rstrip("/")
    headers = {"Origin": address} | headers
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with connect(
        f"{address.replace('http', 'ws', 1)}/live?_csrf_token={quote(token)}",
        additional_headers={"Cookie": cookies} | {k: v for k, v in headers.items() if v},
    ) as websocket:
        yield Socket(websocket)
