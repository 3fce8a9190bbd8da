"""Workers of the sample site as processes of their own, and many tabs at once."""

import asyncio
import json
import os
import re
import subprocess
import sys
from contextlib import AsyncExitStack, ExitStack, contextmanager
from urllib.parse import quote

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from garden.accounts import tokens
from tests.support.gardens import SECRET, Browser
from tests.support.paths import ROOT

RUNNING = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
UVICORN = [sys.executable, "-m", "uvicorn", "--port", "0", "--no-access-log"]
# No connection is kept, so that none is left to be closed.
ONCE = httpx.Limits(max_keepalive_connections=0)
LOGOUT = {"event": "logout", "payload": {"to": "/"}}


def environment(database_url, redis_url):
    """What such a process is told from outside."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("src", "examples")),
        "GARDEN_DATABASE_URL": database_url,
        "GARDEN_REDIS_URL": redis_url,
        "GARDEN_SECRET": SECRET,
        "GARDEN_DEV": "1",
        # A test of a project of its own may have named another one for this process.
        "DJANGO_SETTINGS_MODULE": "garden_django.settings",
    }


class Process:
    """One uvicorn. It stops by itself at the end, and has nothing to complain of."""

    def __init__(self, command, surroundings):
        self.said = []
        self.running = subprocess.Popen(
            command, cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.running.terminate()
        try:
            self.said.append(self.running.communicate(timeout=30)[1])
        finally:
            if self.running.poll() is None:
                self.running.kill()
                self.running.wait(10)
            self.running.stderr.close()
        if kind is None:
            assert "Traceback" not in "".join(self.said), "".join(self.said)

    def address(self):
        """Wait until it listens, and return where."""
        for line in self.running.stderr:
            self.said.append(line)
            if found := RUNNING.search(line):
                return found[1]
        raise AssertionError("uvicorn did not start: " + "".join(self.said))

    def wait_for(self, words, count=1):
        """Read on until it has said this so many times."""
        while "".join(self.said).count(words) < count:
            line = self.running.stderr.readline()
            assert line, "".join(self.said)
            self.said.append(line)


@contextmanager
def workers(garden, redis_url, number=2):
    """Run workers over the database of a garden, each at an address of its own."""
    surroundings = environment(garden.settings.database_url, redis_url)
    command = [*UVICORN, *garden.PROGRAM]
    with ExitStack() as running:
        started = [running.enter_context(Process(command, surroundings)) for _ in range(number)]
        yield [one.address() for one in started]


def signed_in(garden, address, user_id):
    """A browser with a session of its own, as if somebody had logged in there before."""
    secret = garden.token(user_id, tokens.SESSION)
    session = garden.session_cookie(user_token=secret, user_id=user_id)
    browser = Browser(address, limits=ONCE)
    browser.cookies.set("session", session, domain="127.0.0.1")
    browser.open("/")
    return browser


def at(address, browser):
    """The same browser at another worker: the load balancer has sent it there."""
    other = Browser(address, limits=ONCE)
    other.cookies.update(browser.cookies)
    other.page = browser.page
    return other


class Tab:
    """One open page with its live socket."""

    def __init__(self, wire):
        self.wire = wire

    async def ask(self, event="unknown"):
        """Send an event and return what comes next."""
        await self.wire.send(json.dumps({"id": 1, "event": event, "payload": {}}))
        return await self.hear()

    async def hear(self):
        """Return the next message."""
        return json.loads(await asyncio.wait_for(self.wire.recv(), 20))

    async def farewell(self):
        """Wait for the log-out, and return the code with which the socket is closed."""
        assert await self.hear() == LOGOUT
        try:
            rest = await asyncio.wait_for(self.wire.recv(), 20)
        except ConnectionClosed:
            return self.wire.close_code
        raise AssertionError(rest)


class Tabs(AsyncExitStack):
    """Opens tabs, and closes them at the end."""

    async def open(self, browser, number=1):
        """Open so many, each known to its worker."""
        tabs = await asyncio.gather(*(self._one(browser) for _ in range(number)))
        assert [(await tab.ask())["ack"] for tab in tabs] == [1] * number
        return tabs

    async def _one(self, browser):
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        address = f"{browser.address.replace('http', 'ws', 1)}/live"
        wire = connect(
            f"{address}?_csrf_token={quote(browser.token)}",
            origin=browser.address,
            additional_headers={"Cookie": cookies},
            ping_interval=None,
        )
        return Tab(await self.enter_async_context(wire))


async def confirmation_emails(tabs):
    """Wait until each has been logged out; return the codes."""
    return await asyncio.gather(*(tab.farewell() for tab in tabs))


async def still_open(tabs):
    """Whether each still answers."""
    acks = [await tab.ask() for tab in tabs]
    return [ack.get("ack") for ack in acks] == [1] * len(tabs)
