"""A device in the demo's story: a browser with cookies, the page's CSRF token, and a WebSocket."""

import json
import re
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from urllib.parse import quote

import httpx
from websockets import Origin
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)">')
MIN_AGE = 10
# The messages until a WebSocket was closed, the code, and the time.
Heard = tuple[list[dict[str, Any]], int | None, float]


class Device:
    """A laptop or a phone."""

    def __init__(self, address: str) -> None:
        """Open a browser without any cookies."""
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=MIN_AGE)
        self.page = ""
        self.socket: ClientConnection
        self._open = ExitStack()
        self._open.enter_context(self.http)

    def open(self, path: str) -> httpx.Response:
        """Open a page, and keep it for its token."""
        answer = self.http.get(path)
        self.page = answer.text
        return answer

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form from the page that is open."""
        return self.http.post(path, data={"_csrf_token": self.token, **fields})

    def log_in(self, email: str, password: str, **fields: str) -> httpx.Response:
        """Log in through the form of the login page."""
        self.open("/users/log_in")
        return self.send("/users/log_in", email=email, password=password, **fields)

    @property
    def token(self) -> str:
        """The page's CSRF token, which is masked differently in each page."""
        found = TOKEN.search(self.page)
        return found[1] if found else ""

    @property
    def cookie(self) -> str:
        """All cookies, as the browser sends them."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)

    def connect(self) -> None:
        """Open the WebSocket as the page's script does."""
        url = f"{self.address.replace('http', 'ws', 1)}/live?_csrf_token={quote(self.token)}"
        origin, headers = Origin(self.address), {"Cookie": self.cookie}
        self.socket = self._open.enter_context(
            connect(url, origin=origin, additional_headers=headers, open_timeout=MIN_AGE)
        )

    def push(self, event: str, **payload: str) -> None:
        """Send an event over the WebSocket."""
        self.socket.send(json.dumps({"id": event, "event": event, "payload": payload}))

    def hear(self) -> dict[str, Any]:
        """Return the next message of the WebSocket."""
        message: dict[str, Any] = json.loads(self.socket.recv(MIN_AGE))
        return message

    def hear_after_progress(self) -> dict[str, Any]:
        """Return the next message that isn't about progress, which a slow server reports."""
        message = self.hear()
        while message.get("event") == "closing_progress":
            message = self.hear()
        return message

    def listen_to_the_end(self) -> Heard:
        """Return the messages until the WebSocket is closed, the code, and the time."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed as end:
            return heard, end.rcvd.code if end.rcvd else None, perf_counter()

    def close(self) -> None:
        """Close the browser."""
        self._open.close()
