"""What a page says over its live socket: acked in order and once, and garbage hurts nobody."""

import json
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from garden.models import Plot

EMAIL = "ada@garden.example"


@pytest.fixture
def ada(garden):
    garden.add(Plot(label="A1", crop="beans"), Plot(label="A2", crop="peas"))
    return garden.member(EMAIL)


@pytest.fixture
def browser(garden, ada):
    """A maker of browsers at the real server, in which Ada is logged in."""
    with garden.served() as browsers:

        def browser():
            opened = browsers()
            opened.log_in(EMAIL)
            return opened

        yield browser


def send(socket, number, plot):
    message = {"id": number, "event": "pick_plot", "payload": {"plot": plot}}
    socket.wire.send(json.dumps(message))


def next_ack(socket):
    """The next ack, past what all pages are told."""
    while "ack" not in (message := socket.hear()):
        pass
    return message["ack"], message["status"]


@pytest.mark.cases("SOC-01")
def test_every_event_is_acked_in_order_and_done_once(garden, ada, browser):
    with browser().socket() as socket:
        for number in range(10):
            send(socket, number, "A1")
        acks = [next_ack(socket) for _ in range(10)]
        send(socket, 0, "A2")
        again = next_ack(socket)

    assert acks == [(0, "ok"), *((number, "refused") for number in range(1, 10))]
    assert again == (0, "ok")
    assert garden.rows("SELECT label FROM plots WHERE holder_id IS NOT NULL") == [{"label": "A1"}]


@pytest.mark.cases("SOC-02")
@pytest.mark.parametrize(
    "frame",
    [b"\x00\xff", "x", "[" * 9_000, "{}", '{"id": {}, "event": 7}', '{"id": 1, "event": "x"}'],
    ids=["binary", "text", "deep", "empty", "odd", "unknown"],
)
def test_garbage_is_answered_or_ends_its_own_socket(garden, browser, frame):
    laptop, phone = browser(), browser()
    with laptop.socket() as loud, phone.socket() as quiet:
        # Enough of it to be too fast, if nothing else.
        with suppress(ConnectionClosed):
            for _ in range(100):
                loud.wire.send(frame)

        assert quiet.push("no such event")["status"] == "error"
    with laptop.socket() as socket:
        assert socket.push("no such event")["status"] == "error"
    assert "Traceback" not in garden.log
    assert garden.rows("SELECT 1 FROM plots WHERE holder_id IS NOT NULL") == []


@pytest.mark.cases("SOC-02")
def test_a_failing_database_is_an_error_for_the_page_which_goes_on(garden, browser):
    garden.refuse("UPDATE", "plots")
    with browser().socket() as socket:
        send(socket, 1, "A1")
        failed = socket.hear()
        after = socket.push("no such event")

    assert (failed["ack"], failed["status"]) == (1, "error")
    assert "ada@" not in f"{failed} {garden.log}"
    assert after["status"] == "error"
