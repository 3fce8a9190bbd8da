"""A browser as far as the story needs one: cookies, the token in the page, the live socket."""

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


class Device:
    """A laptop or a phone."""

    def __init__(self, address: str) -> None:
        """Open a browser without any cookies."""
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=MIN_AGE)
        self.page = ""
        self.socket: ClientConnection
        self._lid = ExitStack()
        self._lid.enter_context(self.http)

    def open(self, path: str) -> httpx.Response:
        """Open a page, and keep it for its token."""
        answer = self.http.get(path)
        self.page = answer.text
        return answer

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form from the page that is open."""
        return self.http.post(path, data={"_csrf_token": self.token, **fields})

    def log_in(self, email: str, password: str, **fields: str) -> httpx.Response:
        """Log in as a person would, from the page for it."""
        self.open("/users/log_in")
        return self.send("/users/log_in", email=email, password=password, **fields)

    @property
    def token(self) -> str:
        """The token in the page, masked differently each time it is rendered."""
        found = TOKEN.search(self.page)
        return found[1] if found else ""

    @property
    def cookie(self) -> str:
        """All cookies, as the browser sends them."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)

    def connect(self) -> None:
        """Open the live socket, as the script of the page does."""
        url = f"{self.address.replace('http', 'ws', 1)}/live?_csrf_token={quote(self.token)}"
        origin, headers = Origin(self.address), {"Cookie": self.cookie}
        self.socket = self._lid.enter_context(
            connect(url, origin=origin, additional_headers=headers, open_timeout=MIN_AGE)
        )

    def push(self, event: str, **payload: str) -> None:
        """Send an event over the socket."""
        self.socket.send(json.dumps({"id": event, "event": event, "payload": payload}))

    def hear(self) -> dict[str, Any]:
        """Return the next message from the socket."""
        message: dict[str, Any] = json.loads(self.socket.recv(MIN_AGE))
        return message

    def listen_to_the_end(self) -> tuple[list[dict[str, Any]], int | None, float]:
        """Return all that is heard until the socket ends, its code, and when it ended."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed as end:
            return heard, end.rcvd.code if end.rcvd else None, perf_counter()

    def close(self) -> None:
        """Close the lid."""
        self._lid.close()
