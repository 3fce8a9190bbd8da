"""The sample site in a process of its own, with passwords that cost nothing to check."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from argon2 import PasswordHasher

from garden.accounts.password_hashing import Passwords
from garden.app import create_app
from garden.site_settings import Limit, Limits, Settings

ROOT = Path(__file__).parents[1]


def cheap_passwords() -> Passwords:
    """Return passwords whose check is no part of what is measured."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@contextmanager
def running(path: Path) -> Iterator[str]:
    """Run the site over this database and yield its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def serve(path: str) -> None:
    """Serve on a free port and say which."""
    # All from one client, faster than anybody types.
    often = Limit(client=100_000, account=100_000)
    limits = Limits(login=often, password=often)
    secret = "of the benchmark alone"  # noqa: S105
    site = Settings(f"sqlite:///{path}", secret, dev=True, limits=limits)
    app = create_app(site, hasher=cheap_passwords())
    # With the protocol named, asyncio sends small frames at once; otherwise the second of two
    # waits 40 ms for the first to be acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # Whoever reads the address may come before the site is up, and waits then.
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    server.run(sockets=[listener])


if __name__ == "__main__":
    serve(sys.argv[1])
