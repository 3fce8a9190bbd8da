"""A real server in a thread, for as long as a test needs it."""

import socket
import threading
from contextlib import contextmanager

import uvicorn


class Server(uvicorn.Server):
    """Uvicorn that says when it is ready instead of being asked again and again."""

    def __init__(self, config):
        super().__init__(config)
        self.is_ready = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.is_ready.set()


@contextmanager
def serve(app, **settings):
    """Serve *app* on a free port and give its address."""
    # The protocol by name: with 0, asyncio leaves Nagle's algorithm on, and a small frame right
    # behind another waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, **{"log_level": "info", "lifespan": "on", **settings})
    server = Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.is_ready.wait(10), "the server did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"
