"""The live socket, against a real server: handshake, messages, acks, and its end."""

import asyncio
import json
import logging

import pytest
from websockets.exceptions import InvalidStatus

from efface.live import closing_progress
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD
from tests.asgi.sockets import LOGOUT, live

pytestmark = pytest.mark.anyio


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


SLOW = """
CREATE TRIGGER slow BEFORE UPDATE ON posts BEGIN
  SELECT count(*) FROM (
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000)
    SELECT x FROM n
  );
END
"""


async def test_a_long_closing_says_how_far_it_is_before_it_says_that_it_is_done(
    site, browser, ada, monkeypatch
):
    monkeypatch.setattr(closing_progress, "SECONDS", 0.05)
    with site.engine.begin() as connection:
        connection.exec_driver_sql(SLOW)

    heard = []
    async with live(browser) as socket:
        await socket.send("anonymize", {"current_password": PASSWORD, "confirm": "yes"})
        while "ack" not in (message := await socket.hear()):
            heard.append((message, site.is_open(ada)))

    assert {"event": "closing_progress", "payload": {"done": 1, "of": 3}} in [m for m, _ in heard]
    assert all(message["event"] == "closing_progress" for message, _ in heard)
    assert all(message["payload"]["done"] <= message["payload"]["of"] for message, _ in heard)
    assert message == {"ack": 1, "status": "ok"}
    assert not site.is_open(ada)
    assert heard[0][1]  # nothing was committed when it was first told


async def test_a_short_closing_says_only_that_it_is_done(browser):
    async with live(browser) as socket:
        ack = await socket.ask("anonymize", {"current_password": PASSWORD, "confirm": "yes"})

    assert ack == {"ack": 1, "status": "ok"}


async def test_what_the_socket_says_is_in_the_language_of_the_browser(browser):
    async with live(browser, **{"Accept-Language": "de"}) as socket:
        answer = await socket.ask("no such event")

    assert answer["status"] == "error"
    assert answer["message"].startswith("Der Server kennt dieses Ereignis nicht.")
