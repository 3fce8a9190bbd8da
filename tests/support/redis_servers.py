"""A Redis of a test's own, which can be stopped and started again at the same port."""

import shutil
import socket
import subprocess
import time

NO_REDIS = "No Redis: redis-server was not found; on Debian: apt-get install redis-server."


def has_server():
    """Whether this machine has the program."""
    return shutil.which("redis-server") is not None


class RedisServer:
    """One process that stores nothing and listens on this machine only."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start it, and wait until it answers."""
        settings = [
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--loglevel",
            "warning",
        ]
        command = ["redis-server", "--port", str(self.port), *settings, "--dir", str(self.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, "redis-server has stopped"
            assert time.monotonic() < ends, "redis-server did not start"
            time.sleep(0.01)

    def stop(self):
        """Kill it, as a machine dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as wire:
                wire.sendall(b"PING\r\n")
                return wire.recv(64).startswith(b"+PONG")
        except OSError:
            return False
