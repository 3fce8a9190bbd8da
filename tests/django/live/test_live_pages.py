"""The live socket on Django, against a real server in a process of its own."""

import asyncio
from contextlib import suppress
from itertools import count

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.asgi.sockets import LOGOUT, live
from tests.support.django_projects.processes import Town
from tests.support.page_in_node.browser import Browser as Page

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CLOSE = "/account/close"
PASSWORD = "runner beans and peas"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
names = count()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return Town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def address(town):
    with town.served() as address:
        yield address


class Browser(httpx.AsyncClient):
    """A browser in which somebody is logged in."""

    key = None

    async def join(self):
        answer = await self.get(f"/join/person{next(names)}")
        self.key = answer.raise_for_status().json()["pk"]
        return self

    async def log_in(self, key):
        (await self.get(f"/log_in/{key}")).raise_for_status()
        self.key = key
        return self

    async def token(self):
        page = (await self.get("/settings")).text
        return page.split('name="csrf-token" content="')[1].split('"')[0]

    async def close_account(self, **fields):
        token = await self.token()
        return await self.post(CLOSE, data={"csrfmiddlewaretoken": token, **fields})


def opened(address):
    return Browser(base_url=address, timeout=30)


@pytest.fixture
async def laptop(address):
    async with opened(address) as laptop:
        yield await laptop.join()


@pytest.fixture
async def phone(address, laptop):
    async with opened(address) as phone:
        yield await phone.log_in(laptop.key)


async def refused(browser, **handshake):
    with pytest.raises(InvalidStatus) as refusal:
        async with live(browser, **handshake):
            pass  # pragma: no cover
    return refusal.value.response.status_code


# ---------------------------------------------------------------- handshake


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", "garbage"]
)
async def test_a_handshake_from_elsewhere_is_refused_before_accept(laptop, origin):
    assert await refused(laptop, Origin=origin) == 403


@pytest.mark.parametrize("token", ["", "garbage", "A" * 64])
async def test_a_handshake_without_the_right_token_is_refused(laptop, token):
    assert await refused(laptop, token=token) == 403


async def test_the_token_of_another_browser_opens_no_socket(address, laptop):
    async with opened(address) as other:
        foreign = await other.token()

    assert await refused(laptop, token=foreign) == 403


async def test_the_token_does_not_reach_the_servers_log(town, laptop):
    async with live(laptop) as socket:
        await socket.ask("greet")

    log = town.log.read_text()
    assert '"WebSocket /live"' in log
    assert "_csrf_token" not in log


async def test_a_logged_out_page_is_told_to_leave(address):
    async with opened(address) as nobody, live(nobody) as socket:
        assert await socket.receive() == LOGOUT
        assert await socket.end() == 4401


# ---------------------------------------------------------------- events


async def test_events_are_acked_in_order_and_name_the_person(laptop):
    async with live(laptop) as socket:
        for number in range(20):
            await socket.send("greet", {"number": number}, id=number)
        acks = [await socket.receive() for _ in range(20)]

    assert acks == [
        {"ack": n, "status": "ok", "payload": {"subject": laptop.key, "number": n}}
        for n in range(20)
    ]


async def test_pushed_events_reach_whom_they_are_for(address, laptop, phone):
    async with opened(address) as elsewhere:
        await elsewhere.join()
        async with live(laptop) as own, live(phone) as pocket, live(elsewhere) as other:
            for each in (pocket, other):
                await each.ready()
            await own.send("shout", {"plot": 7})
            heard = [await each.receive() for each in (own, own, pocket, pocket, other)]

    assert heard == [{"event": "news", "payload": {"plot": 7}}] * 5


async def test_a_handler_that_fails_is_an_answer_and_its_words_are_not_logged(town, laptop):
    async with live(laptop, **{"Accept-Language": "de"}) as socket:
        failed = await socket.ask("break", {"address": "ada@example.org"})
        unknown = await socket.ask("no such event", id=2)

    assert failed["status"] == "error"
    assert unknown["message"].startswith("Der Server kennt dieses Ereignis nicht.")
    assert "LookupError" in town.log.read_text()
    assert "ada@example.org" not in town.log.read_text()


async def test_an_event_after_the_session_has_ended_does_nothing(town, laptop):
    """Nobody has told the socket: it asks anew for each event."""
    async with live(laptop) as socket:
        await socket.ready()
        town.execute("DELETE FROM django_session")
        answer = await socket.ask("anonymize", RIGHT)
        code = await socket.end()

    assert (answer, code) == (LOGOUT, 4401)
    assert town.is_open(laptop.key)


async def test_a_log_out_ends_the_sockets_of_its_session_alone(laptop, phone):
    async with live(laptop) as stays, live(phone) as gone:
        await stays.ready()
        await gone.ready()
        token = await phone.token()
        answer = await phone.delete("/users/log_out", headers={"X-CSRFToken": token})
        told, code = await gone.receive(), await gone.end()
        after = await stays.ask("greet", id="still here")

    assert answer.status_code == 204
    assert (told, code) == (LOGOUT, 4401)
    assert after["ack"] == "still here"


# ---------------------------------------------------------------- closing


async def test_anonymize_closes_acks_and_signs_out_every_device(town, laptop, phone):
    async with live(laptop) as own, live(laptop) as tab, live(phone) as pocket:
        for each in (tab, pocket):
            await each.ready()
        ack = await own.ask("anonymize", RIGHT, id="click")
        was_open = town.is_open(laptop.key)
        farewell = await own.receive()
        told = [await each.receive() for each in (tab, pocket)]
        codes = [await each.end() for each in (own, tab, pocket)]

    receipt = town.receipts()[-1]
    assert ack == {"ack": "click", "status": "ok"}
    assert not was_open
    to = f"{CLOSE}/done?reference={receipt['reference']}"
    assert farewell == {"event": "logout", "payload": {"to": to}}
    assert told == [LOGOUT] * 2
    assert codes == [4401] * 3
    assert receipt["actor"] == "self-service by socket, password"
    assert receipt["finalized_at"]


async def test_the_plain_form_ends_the_sockets_too(town, laptop, phone):
    async with live(phone) as pocket:
        await pocket.ready()
        answer = await laptop.close_account(**RIGHT)
        told, code = await pocket.receive(), await pocket.end()

    assert answer.status_code == 303
    assert (told, code) == (LOGOUT, 4401)
    assert not town.is_open(laptop.key)


HAND_MADE = [
    {},
    {"confirm": "yes"},
    {"current_password": "wrong", "confirm": "yes"},
    {"current_password": PASSWORD},
    {"current_password": PASSWORD, "confirm": True},
    {"current_password": [PASSWORD], "confirm": "yes"},
    {"current_password": "\ud800", "confirm": "yes"},
    {"current_password": "wrong", "confirm": "yes", "pk": 1, "user_id": 1},
]


async def test_a_hand_made_message_meets_the_same_rules(town, laptop):
    async with live(laptop) as socket:
        answers = [
            await socket.ask("anonymize", payload, id=number)
            for number, payload in enumerate(HAND_MADE)
        ]

    assert {answer["status"] for answer in answers} == {"refused"}
    assert all("Your account is still open" in answer["message"] for answer in answers)
    assert town.is_open(laptop.key)


async def test_two_clicks_at_once_close_once(town, laptop):
    before = len(town.receipts())
    async with live(laptop) as socket:
        await socket.send("anonymize", RIGHT, id="a")
        await socket.send("anonymize", RIGHT, id="b")
        answers = [await socket.receive(), await socket.receive()]

    assert answers[0] == {"ack": "a", "status": "ok"}
    assert answers[1]["event"] == "logout"
    assert len(town.receipts()) == before + 1


async def test_two_tabs_at_once_close_once(town, laptop, phone):
    before = len(town.receipts())
    async with live(laptop) as one, live(phone) as two:
        await one.ready()
        await two.ready()
        await asyncio.gather(one.send("anonymize", RIGHT), two.send("anonymize", RIGHT))
        codes = await asyncio.gather(over(one), over(two))

    assert codes == [4401, 4401]
    assert len(town.receipts()) == before + 1


async def over(socket):
    """Read whatever comes until the socket ends; return why it did."""
    with suppress(ConnectionClosed):
        async for _ in socket.websocket:
            pass
    return socket.websocket.close_code


SLOW = """
CREATE TRIGGER slow BEFORE UPDATE ON town_person WHEN OLD.nickName = 'slow' BEGIN
  SELECT count(*) FROM (
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000)
    SELECT x FROM n
  );
END
"""


async def test_a_long_closing_says_how_far_it_is_before_it_says_that_it_is_done(town, laptop):
    town.execute(SLOW)
    town.execute("UPDATE town_person SET nickName = 'slow' WHERE id = ?", laptop.key)

    heard = []
    async with live(laptop) as socket:
        await socket.send("anonymize", RIGHT)
        while "ack" not in (message := await socket.hear()):
            heard.append((message, town.is_open(laptop.key)))

    assert heard[0][0]["event"] == "closing_progress"
    assert heard[0][1]  # nothing was committed when it was first told
    assert all(m["payload"]["done"] <= m["payload"]["of"] for m, _ in heard)
    assert message == {"ack": 1, "status": "ok"}


def test_from_the_click_to_the_farewell_page(town, node, address):
    """The page's script in its real form, with Django's token."""
    name = f"person{next(names)}"
    with Page(node, address) as page:
        page.open(f"/join/{name}")
        page.open("/settings")
        page.connected()
        page.click("[data-efface=open]")
        page.fill("[name=current_password]", PASSWORD)
        page.check("[name=confirm]")
        page.click("[data-efface=submit]")
        page.see("Confirmation number")

        assert page.sent() == ["anonymize"]
        assert "DELETE /users/log_out 204" in page.requests()
        assert page.path == f"{CLOSE}/done"


# ---------------------------------------------------------------- as a project has it

SITE = "tests.support.django_projects.live_site"


@pytest.fixture(scope="module")
def own_ways(tmp_path_factory):
    """The town with a log-in of its own, signed cookies, and the CSRF secret in the session."""
    return Town(
        tmp_path_factory.mktemp("own_ways"),
        CSRF_USE_SESSIONS=True,
        CSRF_TRUSTED_ORIGINS=["https://trusted.example"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        efface={
            "IDENTIFY": f"{SITE}.by_ticket",
            "CONFIRMATION_EMAIL": f"{SITE}.farewell",
            "REDIRECT_PATH": "/goodbye",
        },
    )


async def test_a_project_says_who_it_is_and_where_its_secret_lies(own_ways):
    with own_ways.served() as address:
        async with opened(address) as laptop, opened(address) as stranger:
            await laptop.join()
            signed_out = await laptop.get(CLOSE)
            await laptop.get(f"/take_ticket/{laptop.key}")
            foreign = await stranger.token()
            assert await refused(laptop, token=foreign) == 403
            async with live(laptop, Origin="https://trusted.example") as socket:
                greeting = await socket.ask("greet")
            async with live(laptop) as socket:
                ack = await socket.ask("anonymize", RIGHT)
                told = await socket.receive()
            after = await laptop.get(CLOSE)

    reference = own_ways.receipts()[0]["reference"]
    mail = f"mail to person{next(names) - 1}@example.org: {reference} {CLOSE}/done?reference="
    assert "Log in to delete your account" in signed_out.text
    assert greeting["payload"]["subject"] == laptop.key
    assert ack == {"ack": 1, "status": "ok"}
    assert told == {"event": "logout", "payload": {"to": "/goodbye"}}
    assert "Log in to delete your account" in after.text
    assert not own_ways.is_open(laptop.key)
    assert mail in own_ways.log.read_text()


async def test_the_end_of_a_ticket_is_the_end_of_its_socket(own_ways):
    with own_ways.served() as address:
        async with opened(address) as laptop:
            await laptop.join()
            await laptop.get(f"/take_ticket/{laptop.key}")
            async with live(laptop) as socket:
                await socket.ready()
                own_ways.execute("UPDATE town_person SET nickName = NULL")
                told = await socket.ask("greet")

    assert told == {"event": "logout", "payload": {"to": "/goodbye"}}


@pytest.mark.parametrize("lifespan", ["on", "off"])
async def test_workers_and_commands_end_the_sockets_of_all_workers(
    tmp_path, redis_server, lifespan
):
    """Without a lifespan, as behind Daphne, a worker is connected by its first socket."""
    town = Town(tmp_path, redis=redis_server.url)
    with town.served(lifespan=lifespan) as one, town.served(lifespan=lifespan) as two:
        async with opened(one) as laptop, opened(two) as phone, opened(two) as other:
            await laptop.join()
            await phone.log_in(laptop.key)
            await other.join()
            async with live(phone) as pocket:
                await pocket.ready()
                await laptop.close_account(**RIGHT)
                by_worker = [await pocket.receive(), await pocket.end()]
            async with live(other) as socket:
                await socket.ready()
                town.manage("efface", "close", other.key, "--actor", "ticket 8114")
                by_command = [await socket.receive(), await socket.end()]

    assert by_worker == by_command == [LOGOUT, 4401]
    assert [each["actor"] for each in town.receipts()][1] == "ticket 8114"
