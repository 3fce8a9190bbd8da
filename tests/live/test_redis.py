"""What processes tell each other: signed, naming nobody, and lost without harm."""

import asyncio
import json
import logging
import re

import pytest
from redis.asyncio import Redis

from efface.live import redis as by_redis
from efface.live.broker import MemoryBroker, Signal
from efface.live.redis import RedisBroker
from efface.live.signed_signals import LARGEST_SIGNAL, SignalSigner, UnreadableSignalError

KEY = b"a key of this test alone"
SIGNALS = [
    Signal("end", SignalSigner(KEY).topic(7)),
    Signal("recheck", SignalSigner(KEY).topic(("a", 1))),
    Signal("recheck", None),
    Signal("push", SignalSigner(KEY).topic("7"), "news", {"n": 1, "text": "ü\ud800"}),
    Signal("push", None, "plot_taken", {"plot": "A1"}),
]

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- sealed


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_is_read_as_it_was_written(signal):
    assert SignalSigner(KEY).read(SignalSigner(KEY).write(signal, "one")) == ("one", signal)


def test_a_signal_names_nobody():
    """Not even by a hash that somebody could try all keys against."""
    address = "ada@garden.example"
    written = (
        SignalSigner(KEY).write(Signal("end", SignalSigner(KEY).topic(address)), "one").decode()
    )
    elsewhere = SignalSigner(b"another key of some site").topic(address)

    assert address not in written
    # A word of its own: the digits of a digest can spell it.
    assert not re.search(r"\bada\b", written)
    assert elsewhere not in written
    assert SignalSigner(KEY).topic(1) != SignalSigner(KEY).topic("1")


def test_the_text_of_a_push_is_in_no_repr():
    assert "secret" not in repr(Signal("push", None, "news", {"text": "secret"}))


def test_a_key_that_can_be_guessed_is_refused():
    with pytest.raises(ValueError, match="at least 16 bytes"):
        SignalSigner(b"short")


def signed(value):
    """What somebody with the key but another program might send."""
    seal = SignalSigner(KEY)
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return seal._mark(text).encode() + text


TOPIC = SignalSigner(KEY).topic(1)
UNREADABLE = {
    "nothing": b"",
    "text": "end",
    "none": None,
    "unsigned": json.dumps(["x", "end", TOPIC, "", {}]).encode(),
    "another key": SignalSigner(b"another key of some site").write(SIGNALS[0], "one"),
    "changed": SignalSigner(KEY).write(SIGNALS[0], "one")[:-1] + b"}",
    "cut": SignalSigner(KEY).write(SIGNALS[0], "one")[:70],
    "too long": signed(["x", "push", None, "news", {"n": "x" * LARGEST_SIGNAL}]),
    "no JSON": signed(b"\xff\xfe"),
    "deep": signed(b"[" * 50_000),
    "an object": signed({"kind": "end"}),
    "too few": signed(["x", "end"]),
    "too many": signed(["x", "end", TOPIC, "", {}, 1]),
    "unknown kind": signed(["x", "close", TOPIC, "", {}]),
    "end of everybody": signed(["x", "end", None, "", {}]),
    "odd topic": signed(["x", "end", "7", "", {}]),
    "odd payload": signed(["x", "push", None, "news", [1]]),
    "no event": signed(["x", "push", None, "", {}]),
    "long event": signed(["x", "push", None, "x" * 65, {}]),
    "odd origin": signed([1, "end", TOPIC, "", {}]),
}


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_signal_of_this_site_is_not_read(message):
    with pytest.raises(UnreadableSignalError):
        SignalSigner(KEY).read(message)


@pytest.mark.parametrize(
    "payload", [{"at": object()}, {"n": float("nan")}, {"n": "x" * LARGEST_SIGNAL}]
)
def test_what_nobody_could_read_is_not_written(payload):
    with pytest.raises((TypeError, ValueError)):
        SignalSigner(KEY).write(Signal("push", None, "news", payload), "one")


# ---------------------------------------------------------------- memory


async def test_in_memory_the_others_hear_and_oneself_does_not():
    broker, heard = MemoryBroker(), []

    def listener(name):
        async def hear(signal):
            heard.append((name, signal))

        return hear

    async with broker.running():
        tell, _ = broker.join(listener("one")), broker.join(listener("two"))
        await tell(SIGNALS[0])

    assert heard == [("two", SIGNALS[0])]
    assert broker.topic(1) != broker.topic("1")


# ---------------------------------------------------------------- Redis


class Worker:
    """What one process is to the broker."""

    def __init__(self, url, key=KEY):
        self.broker = RedisBroker(url, secret=key)
        self.heard = asyncio.Queue()
        self.tell = self.broker.join(self.heard.put)

    async def hears(self):
        return await asyncio.wait_for(self.heard.get(), 10)


async def test_all_workers_of_the_site_hear_in_order_and_nobody_else(redis_server):
    one, two, three = (Worker(redis_server.url) for _ in range(3))
    other_site = Worker(redis_server.url, b"another key of some site")
    async with (
        one.broker.running(),
        two.broker.running(),
        three.broker.running(),
        other_site.broker.running(),
    ):
        for signal in SIGNALS:
            await one.tell(signal)
        for worker in (two, three):
            assert [await worker.hears() for _ in SIGNALS] == SIGNALS
        await two.tell(SIGNALS[0])

        assert await one.hears() == SIGNALS[0]
        assert other_site.heard.empty()


async def test_a_command_without_a_loop_is_heard_by_all(redis_server):
    one, command = Worker(redis_server.url), RedisBroker(redis_server.url, secret=KEY)
    async with one.broker.running():
        await asyncio.to_thread(command.announce, SIGNALS[0])

        assert await one.hears() == SIGNALS[0]


def test_a_command_is_not_kept_by_a_broker_that_is_away(caplog):
    RedisBroker("redis://127.0.0.1:1/0", secret=KEY).announce(SIGNALS[0])

    assert "Redis cannot be reached" in caplog.text


async def test_what_is_unreadable_is_passed_over_and_said_without_its_words(redis_server, caplog):
    one, two = Worker(redis_server.url), Worker(redis_server.url)
    async with (
        one.broker.running(),
        two.broker.running(),
        Redis.from_url(redis_server.url) as redis,
    ):
        for _ in range(5):
            await redis.publish(one.broker._channel, b"ada@garden.example")
        await one.tell(SIGNALS[0])

        assert await two.hears() == SIGNALS[0]
    said = [record for record in caplog.records if "Unreadable" in record.message]
    assert len(said) == 6  # each of the two at 1, 2 and 4
    assert "ada@" not in caplog.text


async def test_a_listener_that_fails_hears_the_next_one(redis_server, caplog):
    one, two, heard = (
        Worker(redis_server.url),
        RedisBroker(redis_server.url, secret=KEY),
        asyncio.Queue(),
    )

    async def hear(signal):
        if signal.kind == "end":
            raise KeyError("ada@garden.example")
        await heard.put(signal)

    two.join(hear)
    async with one.broker.running(), two.running():
        await one.tell(SIGNALS[0])
        await one.tell(SIGNALS[1])

        assert await asyncio.wait_for(heard.get(), 10) == SIGNALS[1]
    assert "KeyError" in caplog.text
    assert "ada@" not in caplog.text


async def test_after_a_gap_there_is_no_replay_and_everybody_is_asked_anew(redis_server, caplog):
    caplog.set_level(logging.INFO)
    one, two = Worker(redis_server.url), Worker(redis_server.url)
    async with one.broker.running(), two.broker.running():
        redis_server.stop()
        before = asyncio.get_running_loop().time()
        for signal in SIGNALS:
            await one.tell(signal)
        waited = asyncio.get_running_loop().time() - before
        redis_server.start()

        assert await two.hears() == Signal("recheck", None)
        assert await one.hears() == Signal("recheck", None)
        await one.tell(SIGNALS[0])
        assert await two.hears() == SIGNALS[0]
        assert two.heard.empty()
    assert waited < 2
    assert caplog.text.count("Redis cannot be reached") == 2  # once for each, not for each signal
    assert "127.0.0.1" not in caplog.text


async def test_a_broker_that_never_was_delays_the_start_by_a_second_at_most():
    with_nobody = Worker("redis://127.0.0.1:1/0")
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with with_nobody.broker.running():
        started = loop.time() - before
        await with_nobody.tell(SIGNALS[0])

    assert started < 2
    assert loop.time() - before < 4


async def test_a_broker_that_takes_all_and_answers_nothing_delays_nobody_long():
    """As a network that swallows packets does."""
    wires = []

    async def swallow(reader, writer):
        wires.append(reader)
        await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as hole:
        port = hole.sockets[0].getsockname()[1]
        worker = Worker(f"redis://127.0.0.1:{port}/0")
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with worker.broker.running():
            await asyncio.gather(*(worker.tell(signal) for signal in SIGNALS * 20))
            told = loop.time() - before
    assert wires
    assert told < 3
    assert loop.time() - before < 6


async def test_without_a_running_site_telling_does_nothing_and_says_so(caplog):
    worker = Worker("redis://127.0.0.1:1/0")

    await worker.tell(SIGNALS[0])

    assert "has not started" in caplog.text


async def test_too_many_signals_that_wait_are_lost_instead_of_kept(monkeypatch, redis_server):
    monkeypatch.setattr(by_redis, "_MOST_WAITING", 3)
    one, two = Worker(redis_server.url), Worker(redis_server.url)
    async with one.broker.running(), two.broker.running():
        await asyncio.gather(*(one.tell(SIGNALS[0]) for _ in range(10)))
        await one.tell(SIGNALS[1])

        heard = []
        while not heard or heard[-1] != SIGNALS[1]:
            heard.append(await two.hears())
    assert heard == [SIGNALS[0]] * 3 + [SIGNALS[1]]


def test_one_broker_serves_one_live():
    worker = Worker("redis://127.0.0.1:1/0")

    with pytest.raises(RuntimeError, match="one Live"):
        worker.broker.join(worker.heard.put)
