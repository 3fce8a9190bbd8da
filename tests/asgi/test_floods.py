"""Pages that mean no good: too much, too fast, too many, and nothing read."""

import asyncio
import json
import logging
import socket as sockets
import threading
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from starlette.concurrency import run_in_threadpool
from websockets.exceptions import ConnectionClosed

from efface.live.message_loop import MOST_UNHANDLED
from tests.asgi.conftest import Browser
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

FRAMES = 10_000


async def flood(socket, frames):
    """Send all of it, or as much as the server lets in; return why it was closed."""
    try:
        for frame in frames:
            await socket.websocket.send(frame)
        while True:
            await asyncio.wait_for(socket.websocket.recv(), 20)
    except ConnectionClosed:
        return socket.websocket.close_code


def told_apart(event):
    """So many messages, each with an id of its own."""
    return (json.dumps({"id": n, "event": event, "payload": {}}) for n in range(FRAMES))


@pytest.fixture
async def other(address, grace):
    """Somebody else, who must not notice."""
    async with Browser(base_url=address) as browser:
        yield await browser.sign_in(grace)


@pytest.mark.cases("SOC-01", "SOC-02")
async def test_a_page_faster_than_its_handler_is_closed_and_no_other(site, browser, other):
    gate, seen = threading.Event(), []

    @site.closing.live.on("slow")
    async def slow(event):
        seen.append(event.subject)
        await run_in_threadpool(gate.wait, 20)

    try:
        async with live(other) as quiet, live(browser) as loud:
            code = await flood(loud, told_apart("slow"))
            ack = await quiet.ask("unknown", id="meanwhile")
    finally:
        gate.set()

    assert code == 4429
    assert len(seen) <= 1  # it may be closed before the first one is looked at
    assert ack["ack"] == "meanwhile"


async def test_as_many_messages_as_may_wait_are_handled_in_order(site, browser):
    seen = []

    @site.closing.live.on("count")
    async def count(event):
        seen.append(event.payload["n"])

    async with live(browser) as socket:
        for n in range(MOST_UNHANDLED // 2):
            await socket.send("count", {"n": n}, id=n)
        acks = [(await socket.receive())["ack"] for _ in range(MOST_UNHANDLED // 2)]

    assert seen == acks == list(range(MOST_UNHANDLED // 2))


@pytest.mark.slow
@pytest.mark.cases("SOC-02")
@pytest.mark.parametrize(
    "frame",
    [b"\x00\xff" * 500, "[" * 60_000, "{" * 30_000 + "}" * 30_000, "x", '{"id": 1, "event": "x"}'],
    ids=["binary", "deep", "braces", "text", "repeated"],
)
async def test_10_000_frames_of_garbage_hurt_nobody(browser, other, frame, caplog):
    """Each is answered, or the socket is closed as too fast: never an error, never a trace."""
    caplog.set_level(logging.WARNING)
    async with live(other) as quiet, live(browser) as loud:
        flooding = {asyncio.create_task(flood(loud, (frame for _ in range(FRAMES))))}
        ack = await quiet.ask("unknown", id="meanwhile")
        done, _ = await asyncio.wait(flooding, timeout=3)
        assert all(each.result() == 4429 for each in done)
        for each in flooding:
            each.cancel()
        again = await quiet.ask("unknown", id="afterwards")
    assert (await browser.get("/")).status_code == 200
    assert (ack["ack"], again["ack"]) == ("meanwhile", "afterwards")
    assert "Traceback" not in caplog.text
    assert "failed" not in caplog.text


async def test_a_page_that_reads_nothing_is_given_up(site, address, browser, other, ada):
    """Its server's buffers fill up, and then what waits for it is not kept."""
    news = {"text": "x" * 60_000}
    tell = site.closing.live

    @tell.on("shout")
    async def shout(event):
        await asyncio.gather(*(tell.push(ada, "news", news) for _ in range(200)))

    @tell.on("count")
    async def count(event):
        event.reply({"open": tell.count(ada)})

    async with live(other) as loud:
        parts = urlsplit(address)
        token = await browser.token()
        with sockets.socket() as deaf:
            deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
            deaf.connect((parts.hostname, parts.port))
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            deaf.sendall(
                f"GET /live?_csrf_token={token} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                f"Origin: {address}\r\nCookie: {cookies}\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            while (await loud.ask("count", id=f"before {id(object())}"))["payload"]["open"] == 0:
                pass
            await loud.ask("shout", id="shout")
            open_sockets = (await loud.ask("count", id="after"))["payload"]["open"]

    assert open_sockets == 0


async def test_half_a_handshake_holds_nobody_up(address, browser):
    parts = urlsplit(address)
    async with AsyncExitStack() as stack:
        for _ in range(200):
            wire = stack.enter_context(sockets.create_connection((parts.hostname, parts.port)))
            wire.sendall(b"GET /live HTTP/1.1\r\nHost: here\r\nUpgrade: web")
        async with live(browser) as socket:
            assert (await socket.ask("unknown"))["ack"] == 1


async def test_one_person_holds_so_many_sockets_and_no_more(site, browser, other):
    site.closing.live._most = 3
    async with AsyncExitStack() as stack:
        ones = [await stack.enter_async_context(live(browser)) for _ in range(3)]
        for one in ones:
            await one.ready()
        async with live(browser) as fourth:
            assert await fourth.end() == 4430
        async with live(other) as elsewhere:
            assert (await elsewhere.ask("unknown"))["ack"] == 1
        assert (await ones[0].ask("unknown"))["ack"] == 1
