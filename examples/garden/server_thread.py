"""Run Uvicorn in a thread, for the demos and the tests."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import uvicorn

MIN_AGE = 10
USUAL_PORT = 8000


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes any free one.

    Raises:
        OSError: the port is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def bind_as_asked(host: str, port: str | None) -> socket.socket:
    """Return a socket at the given port; without one, at the usual port or any free one.

    Raises:
        OSError: the port is taken.
        OverflowError: the number is too large for a port.
        ValueError: the port is not a number.
    """
    if port:
        return bind(host, int(port))
    try:
        return bind(host, USUAL_PORT)
    except OSError:
        return bind(host, 0)


class Server(uvicorn.Server):
    """Uvicorn, with events for its start and its end."""

    def __init__(self, app: Any) -> None:
        """Prepare to serve *app*."""
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", server_header=False, timeout_graceful_shutdown=2
            )
        )
        self.ready, self.ended = Event(), Event()
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set the event."""
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the end, and set the event."""
        try:
            super().run(sockets)
        finally:
            self.ended.set()

    def wait_for(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run *work* in the server's event loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(MIN_AGE)


@contextmanager
def serving(app: Any, bound: socket.socket) -> Iterator[Server]:
    """Serve *app* on a bound socket, and stop at the end."""
    server = Server(app)
    Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True).start()
    try:
        if not server.ready.wait(MIN_AGE):
            raise TimeoutError("The server did not start.")
        yield server
    finally:
        server.should_exit = True
        # Not the thread: an interrupted `join` counts it as ended, while it still runs.
        server.ended.wait(MIN_AGE)
        bound.close()
