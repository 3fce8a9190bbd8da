"""Closing over the live socket on Django, against a real server in a process of its own."""

import asyncio
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from tests.asgi.sockets import LOGOUT, live
from tests.django.live.pages.browsers import CLOSE, PASSWORD, RIGHT, names
from tests.support.page_in_node.browser import Browser as Page

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


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
