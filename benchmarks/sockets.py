"""A thousand open tabs on one worker, and somebody leaves: how long theirs stay."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks import people, server
from benchmarks.measure import Measure, within
from benchmarks.site import expect, settings_page, token_in
from efface.live.socket_writer import LOGGED_OUT

TABS = 20
PEOPLE = 50
ROUNDS = 5
MIN_AGE = 30


def thousand() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.db"
        people.create(path)[0].dispose()
        hashed = server.cheap_passwords().hash(people.PASSWORD)
        keys = people.settle_in(path, people.TWO_HUNDRED, PEOPLE, hashed=hashed)
        with server.running(path) as site:
            slowest = asyncio.run(rounds(site, keys))
    yield within(
        f"{PEOPLE * TABS} open sockets on one worker: the {TABS} of one user are closed, slowest",
        slowest * 1000,
        1000,
        "ms",
    )


async def rounds(site: str, keys: list[int]) -> float:
    """Return the seconds from the POST until the last tab of the person is closed."""
    browsers, tabs = {}, {}
    for key in keys:
        browsers[key] = httpx.Client(base_url=site, headers={"Origin": site})
        token = settings_page(browsers[key], key)
        tabs[key] = await asyncio.gather(*(tab(site, browsers[key], token) for _ in range(TABS)))
    slowest = 0.0
    for key in keys[:ROUNDS]:
        fields = {"current_password": people.PASSWORD, "confirm": "yes"}
        fields["_csrf_token"] = token_in(browsers[key].get("/users/settings"))
        start = perf_counter()
        ends = asyncio.gather(*(end(each) for each in tabs.pop(key)))
        answer = await asyncio.to_thread(browsers[key].post, "/users/settings/close", data=fields)
        expect(answer.status_code, HTTPStatus.SEE_OTHER)
        expect(await asyncio.wait_for(ends, MIN_AGE), [LOGGED_OUT] * TABS)
        slowest = max(slowest, perf_counter() - start)
    for rest in tabs.values():
        for each in rest:
            await hello(each)
            await each.close()
    for browser in browsers.values():
        browser.close()
    return slowest


async def tab(site: str, browser: httpx.Client, token: str) -> ClientConnection:
    """Open one tab, and wait until the worker knows it."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
    address = f"{site.replace('http', 'ws', 1)}/live?_csrf_token={quote(token)}"
    headers = {"Cookie": cookies}
    opened = await connect(address, origin=site, additional_headers=headers, ping_interval=None)
    await hello(opened)
    return opened


async def hello(opened: ClientConnection) -> None:
    """Ask for an ack, which says that the socket is being served."""
    await opened.send(json.dumps({"id": 1, "event": "hello", "payload": {}}))
    expect(json.loads(await opened.recv())["ack"], 1)


async def end(opened: ClientConnection) -> int | None:
    """Wait for the log-out, and return the code with which the socket is closed."""
    expect(json.loads(await opened.recv())["event"], "logout")
    try:
        await opened.recv()
    except ConnectionClosed:
        return opened.close_code
    return None
