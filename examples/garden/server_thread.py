"""The real server in a thread of its own, for the demos and the tests."""

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
    """Return a socket at the port that was asked for, or at the usual one, or at any.

    Raises:
        OSError: the port is taken.
        OverflowError: no port has this number.
        ValueError: it is no number.
    """
    if port:
        return bind(host, int(port))
    try:
        return bind(host, USUAL_PORT)
    except OSError:
        return bind(host, 0)


class Server(uvicorn.Server):
    """Uvicorn, which says when it is ready."""

    def __init__(self, app: Any) -> None:
        """Prepare to serve *app*."""
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", server_header=False, timeout_graceful_shutdown=2
            )
        )
        self.ready = Event()
        self.thread: Thread
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell whoever waits."""
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    def wait_for(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run *work* beside the application, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(MIN_AGE)


@contextmanager
def serving(app: Any, bound: socket.socket) -> Iterator[Server]:
    """Serve *app* on a bound socket, and stop at the end."""
    server = Server(app)
    server.thread = Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    server.thread.start()
    try:
        if not server.ready.wait(MIN_AGE):
            raise TimeoutError("The server did not start.")
        yield server
    finally:
        server.should_exit = True
        server.thread.join(MIN_AGE)
        bound.close()
