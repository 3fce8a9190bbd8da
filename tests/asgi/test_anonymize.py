"""The event `anonymize` over the live socket, against a real server."""

import pytest

from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD
from tests.asgi.sockets import LOGOUT, live

pytestmark = pytest.mark.anyio

RIGHT = {"current_password": PASSWORD, "confirm": "yes"}


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
    assert all("Your account is still open" in answer["message"] for answer in answers)
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
    with pytest.raises(ValueError, match="already has a handler"):
        site.closing.live.on("anonymize")(None)
