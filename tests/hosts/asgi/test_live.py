"""The live socket, against a real server: handshake, messages, acks, and its end."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.hosts.asgi.conftest import Browser
from tests.hosts.asgi.site import PASSWORD

pytestmark = pytest.mark.anyio

RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
LOGOUT = {"event": "logout", "payload": {"to": "/"}}


@pytest.fixture
async def browser(address, ada):
    async with Browser(base_url=address) as browser:
        yield await browser.sign_in(ada)


class Socket:
    """One live socket as a test sees it."""

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, event, payload=None, id=1):  # noqa: A002
        message = {"id": id, "event": event, "payload": payload or {}}
        await self.websocket.send(json.dumps(message))

    async def receive(self):
        return json.loads(await asyncio.wait_for(self.websocket.recv(), 10))

    async def ask(self, event, payload=None, id=1):  # noqa: A002
        await self.send(event, payload, id)
        return await self.receive()

    async def ready(self):
        """Wait until the server counts this socket among the person's."""
        await self.ask("unknown", id="ready")

    async def end(self):
        """Return the close code; fail where anything else comes first."""
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(self.websocket.recv(), 10)
        return self.websocket.close_code


@asynccontextmanager
async def live(browser, token=None, **headers):
    """Connect as a page of this browser does."""
    token = await browser.token() if token is None else token
    address = str(browser.base_url).rstrip("/")
    headers = {"Origin": address} | headers
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with connect(
        f"{address.replace('http', 'ws', 1)}/live?_csrf_token={quote(token)}",
        additional_headers={"Cookie": cookies} | {k: v for k, v in headers.items() if v},
    ) as websocket:
        yield Socket(websocket)


async def refused(browser, **handshake):
    with pytest.raises(InvalidStatus) as refusal:
        async with live(browser, **handshake):
            pass  # pragma: no cover
    return refusal.value.response.status_code


# ---------------------------------------------------------------- handshake


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", "garbage"]
)
@pytest.mark.cases("CSR-05")
async def test_a_handshake_from_elsewhere_is_refused_before_accept(browser, origin):
    assert await refused(browser, Origin=origin) == 403


@pytest.mark.parametrize("token", ["", "garbage", "A" * 48])
async def test_a_handshake_without_the_right_token_is_refused(browser, token):
    assert await refused(browser, token=token) == 403


async def test_the_token_of_another_session_opens_no_socket(address, browser):
    async with Browser(base_url=address) as other:
        foreign = await other.token()

    assert await refused(browser, token=foreign) == 403


async def test_the_token_does_not_reach_the_servers_log(browser, caplog):
    with caplog.at_level(logging.INFO):
        async with live(browser) as socket:
            await socket.ask("anything")

    assert "/live" in caplog.text
    assert "_csrf_token" not in caplog.text


async def test_a_signed_out_page_is_told_to_leave(address, site, browser, ada):
    site.revoke(ada)

    async with live(browser) as socket:
        assert await socket.receive() == LOGOUT
        assert await socket.end() == 4401


async def test_a_closing_between_identification_and_registration_is_not_missed(site, browser, ada):
    """The socket is asked again once it is registered, so no moment is left uncovered."""
    answers = iter([ada, None])
    site.closing.live._identify = lambda _: next(answers)

    async with live(browser) as socket:
        assert await socket.receive() == LOGOUT


# ---------------------------------------------------------------- messages


@pytest.mark.cases("SOC-01")
async def test_messages_are_acked_in_order_each_once(site, browser):
    seen = []

    @site.closing.live.on("count")
    async def count(event):
        await asyncio.sleep(0)
        seen.append(event.payload["n"])
        event.reply({"n": event.payload["n"]})

    async with live(browser) as socket:
        for n in range(20):
            await socket.send("count", {"n": n}, id=f"m{n}")
        acks = [await socket.receive() for _ in range(20)]

    assert seen == list(range(20))
    assert acks == [{"ack": f"m{n}", "status": "ok", "payload": {"n": n}} for n in range(20)]


async def test_the_same_id_gets_the_same_ack_and_acts_once(site, browser):
    seen = []

    @site.closing.live.on("pick_plot")
    async def pick(event):
        seen.append(event.subject)
        event.reply({"picked": len(seen)})

    async with live(browser) as socket:
        answers = [await socket.ask("pick_plot", id="once") for _ in range(3)]

    assert len(seen) == 1
    assert answers == [{"ack": "once", "status": "ok", "payload": {"picked": 1}}] * 3


GARBAGE = [
    "",
    "{",
    "null",
    "[]",
    '"text"',
    "NaN",
    '{"id": 1, "event": "x", "payload": {"n": NaN}}',
    "[" * 20_000,
    "1" * 10_000,
    '{"event": "x"}',
    '{"id": null, "event": "x"}',
    '{"id": true, "event": "x"}',
    '{"id": 1.5, "event": "x"}',
    '{"id": "", "event": "x"}',
    '{"id": [1], "event": "x"}',
    '{"id": {}, "event": "x"}',
    '{"id": 1e400, "event": "x"}',
    f'{{"id": {"9" * 30}, "event": "x"}}',
    f'{{"id": "{"x" * 65}", "event": "x"}}',
    b"\x00\xff",
    b'{"id": 1, "event": "x"}',
]

ODD = [
    {},
    {"event": 1},
    {"event": ""},
    {"event": "x" * 65},
    {"event": "anonymize", "payload": []},
    {"event": "anonymize", "payload": None},
    {"event": "__class__"},
]


async def test_garbage_is_answered_and_the_socket_goes_on(browser):
    async with live(browser) as socket:
        answers = []
        for garbage in GARBAGE:
            await socket.websocket.send(garbage)
            answers.append(await socket.receive())
        after = await socket.ask("unknown", id="after")

    assert [(answer["ack"], answer["status"]) for answer in answers] == [(None, "error")] * 21
    assert all(answer["message"] for answer in answers)
    assert after["ack"] == "after"


async def test_a_message_with_an_id_is_acked_whatever_is_wrong_with_the_rest(browser):
    async with live(browser) as socket:
        answers = []
        for number, message in enumerate(ODD):
            await socket.websocket.send(json.dumps({"id": number, **message}))
            answers.append(await socket.receive())

    assert [answer["ack"] for answer in answers] == list(range(7))
    assert {answer["status"] for answer in answers} == {"error"}


async def test_half_a_character_in_an_id_comes_back_as_it_was(browser):
    async with live(browser) as socket:
        answer = await socket.ask("unknown", id="\ud800")

    assert answer["ack"] == "\ud800"


async def test_a_huge_message_ends_the_socket(browser):
    async with live(browser) as socket:
        await socket.websocket.send("x" * 70_000)

        assert await socket.end() == 1009


@pytest.mark.cases("SOC-02")
async def test_a_failing_handler_gives_an_error_ack_and_nothing_more(site, browser, caplog):
    @site.closing.live.on("fail")
    async def fail(event):
        raise KeyError("ada@example.org")

    @site.closing.live.on("unspeakable")
    async def unspeakable(event):
        event.reply({"at": object()})

    async with live(browser) as socket:
        answers = [await socket.ask("fail", id=1), await socket.ask("unspeakable", id=2)]
        after = await socket.ask("unknown", id=3)

    assert [answer["status"] for answer in answers] == ["error", "error"]
    assert "KeyError" not in json.dumps(answers)
    assert after["ack"] == 3
    assert "KeyError" in caplog.text
    assert "ada@" not in caplog.text


async def test_the_server_speaks_to_every_socket_of_a_person(address, site, ada, grace):
    async with Browser(base_url=address) as laptop, Browser(base_url=address) as other:
        await laptop.sign_in(ada)
        await other.sign_in(grace)
        async with live(laptop) as one, live(laptop) as two, live(other) as three:
            site.closing.live.on("tell")(
                lambda event: site.closing.live.push(event.subject, "news", {"n": 1})
            )
            await two.ready()
            news = await one.ask("tell")
            ack = await one.receive()
            also = await two.receive()
            nothing = await three.ask("unknown", id="three")

    assert news == also == {"event": "news", "payload": {"n": 1}}
    assert ack["status"] == "ok"
    assert nothing["ack"] == "three"


@pytest.mark.cases("LOG-13", "LOG-16")
async def test_a_recheck_ends_the_sockets_of_dead_sessions_only(address, site, ada):
    async with Browser(base_url=address) as laptop, Browser(base_url=address) as phone:
        await laptop.sign_in(ada)
        await phone.sign_in(ada)
        async with live(laptop) as gone, live(phone) as stays:
            site.closing.live.on("log_out_laptop")(
                lambda event: site.closing.live.recheck(event.subject)
            )
            await gone.ready()
            await laptop.delete(
                "/users/log_out", headers={"X-CSRF-Token": await laptop.token("/settings")}
            )
            ack = await stays.ask("log_out_laptop")
            told = await gone.receive()
            code = await gone.end()
            after = await stays.ask("unknown", id="still here")

    assert told == LOGOUT
    assert code == 4401
    assert ack["status"] == "ok"
    assert after["ack"] == "still here"


# ---------------------------------------------------------------- anonymize


@pytest.mark.tutorial("T28", "T29")
@pytest.mark.cases("CLO-07")
async def test_anonymize_closes_acks_and_signs_out_every_device(address, site, ada):
    async with Browser(base_url=address) as laptop, Browser(base_url=address) as phone:
        await laptop.sign_in(ada)
        await phone.sign_in(ada)
        async with live(laptop) as own, live(laptop) as tab, live(phone) as pocket:
            await tab.ready()
            await pocket.ready()
            ack = await own.ask("anonymize", RIGHT, id="click")
            was_open = site.is_open(ada)
            told = [await socket.receive() for socket in (own, tab, pocket)]
            codes = [await socket.end() for socket in (own, tab, pocket)]

    assert ack == {"ack": "click", "status": "ok"}
    assert not was_open
    assert told == [LOGOUT] * 3
    assert codes == [4401] * 3
    assert site.closing.live.count(ada) == 0
    assert site.tokens(ada) == []


async def test_sockets_of_others_stay(address, site, ada, grace):
    async with Browser(base_url=address) as laptop, Browser(base_url=address) as other:
        await laptop.sign_in(ada)
        await other.sign_in(grace)
        async with live(laptop) as own, live(other) as hers:
            await own.ask("anonymize", RIGHT)
            answer = await hers.ask("unknown", id="me")

    assert answer["ack"] == "me"
    assert site.is_open(grace)


async def test_the_plain_form_signs_out_open_sockets_too(address, site, browser):
    async with Browser(base_url=address) as phone:
        await phone.sign_in(1)
        async with live(phone) as pocket:
            await pocket.ready()
            await browser.close_account(**RIGHT)

            assert await pocket.receive() == LOGOUT
            assert await pocket.end() == 4401


HAND_MADE = [
    {},
    {"confirm": "yes"},
    {"current_password": "wrong", "confirm": "yes"},
    {"current_password": PASSWORD},
    {"current_password": PASSWORD, "confirm": True},
    {"current_password": [PASSWORD], "confirm": "yes"},
    {"current_password": {"a": 1}, "confirm": "yes"},
    {"current_password": None, "confirm": "yes"},
    {"current_password": "\ud800", "confirm": "yes"},
    {"current_password": "x" * 50_000, "confirm": "yes"},
    {"current_password": "wrong", "confirm": "yes", "subject": 2, "user_id": 2},
]


@pytest.mark.cases("CLO-10")
async def test_a_hand_made_message_meets_the_same_rules(site, browser, ada, grace):
    async with live(browser) as socket:
        answers = [
            await socket.ask("anonymize", payload, id=number)
            for number, payload in enumerate(HAND_MADE)
        ]

    assert {answer["status"] for answer in answers} == {"refused"}
    assert all("not closed" in answer["message"] for answer in answers)
    assert site.is_open(ada)
    assert site.is_open(grace)


async def test_an_event_on_a_dead_session_does_nothing(site, browser, ada):
    """The session was revoked after the page was opened, and nobody told the socket."""
    async with live(browser) as socket:
        await socket.ready()
        site.revoke(ada)
        answer = await socket.ask("anonymize", RIGHT)
        code = await socket.end()

    assert answer == LOGOUT
    assert code == 4401
    assert site.checks == 0
    assert site.is_open(ada)


async def test_a_session_that_has_become_somebody_elses_does_nothing(site, browser, ada, grace):
    async with live(browser) as socket:
        await socket.ready()
        site.closing.live._identify = lambda _: grace
        answer = await socket.ask("anonymize", RIGHT)

    assert answer == LOGOUT
    assert site.is_open(ada)
    assert site.is_open(grace)


@pytest.mark.cases("CLO-13")
async def test_two_clicks_at_once_close_once(site, browser, ada):
    async with live(browser) as socket:
        await socket.send("anonymize", RIGHT, id="a")
        await socket.send("anonymize", RIGHT, id="b")
        answers = [await socket.receive(), await socket.receive()]
        code = await socket.end()

    assert answers == [{"ack": "a", "status": "ok"}, LOGOUT]
    assert code == 4401
    assert site.checks == 1


@pytest.mark.cases("CLO-08")
async def test_a_reply_that_is_lost_is_made_up_for_at_the_next_connection(site, browser, ada):
    token = await browser.token("/settings")
    async with live(browser, token) as socket:
        await socket.send("anonymize", RIGHT)
        socket.websocket.transport.abort()

    # The closing may still be running: a socket that comes in meanwhile is told by it.
    async with live(browser, token) as socket:
        assert await socket.receive() == LOGOUT
        assert await socket.end() == 4401
    assert not site.is_open(ada)


async def test_a_database_that_refuses_gives_an_error_ack_and_another_try(site, browser, ada):
    with site.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE UPDATE ON posts BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    async with live(browser) as socket:
        failed = await socket.ask("anonymize", RIGHT, id=1)
        was_open = site.is_open(ada)
        with site.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER refuse")
        closed = await socket.ask("anonymize", RIGHT, id=2)

    assert failed["status"] == "error"
    assert was_open
    assert closed == {"ack": 2, "status": "ok"}


async def test_a_device_that_does_not_read_delays_nobody(address, site, ada):
    """A phone in a tunnel is told in its own time; the laptop's farewell does not wait for it."""

    async with Browser(base_url=address) as laptop, Browser(base_url=address) as phone:
        await laptop.sign_in(ada)
        await phone.sign_in(ada)
        async with live(laptop) as own, live(phone) as stuck:
            site.closing.live.on("flood")(
                lambda event: site.closing.live.push(event.subject, "news", {"x": "x" * 50_000})
            )
            await stuck.ready()
            stuck.websocket.transport.pause_reading()
            for number in range(5):
                await own.send("flood", id=number)
            await own.send("anonymize", RIGHT, id="click")
            messages = [await own.receive() for _ in range(12)]
            stuck.websocket.transport.resume_reading()

    assert messages[-2:] == [{"ack": "click", "status": "ok"}, LOGOUT]


def test_an_event_has_one_handler(site):
    with pytest.raises(ValueError, match="has a handler already"):
        site.closing.live.on("anonymize")(None)
