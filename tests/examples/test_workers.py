"""The site in several processes: what ends in one of them ends in all of them."""

import asyncio
import re
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from garden.models import Plot
from tests.examples.workers import (
    ROOT,
    Process,
    Tabs,
    at,
    confirmation_emails,
    environment,
    signed_in,
    still_open,
    workers,
)
from tests.support.gardens import PASSWORD

CLOSE = "/users/settings/close"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def today(garden):
    """The workers look at the real time, and a session of last spring would be over."""
    garden.clock.now = datetime.now(UTC)


@pytest.fixture
def ada(garden):
    return garden.member()


@pytest.fixture
def grace(garden):
    return garden.member("grace@garden.example")


def close(browser):
    """Close the account of whoever is signed in there."""
    browser.open("/users/settings")
    answer = browser.submit(CLOSE, current_password=PASSWORD, confirm="yes")
    assert answer.status_code == 303


@pytest.fixture
def two(garden, redis_server):
    """The addresses of two workers."""
    with workers(garden, redis_server.url) as addresses:
        yield addresses


def command_in(page):
    """What a page says that starts several workers."""
    (command,) = re.findall(r"\buvicorn [^`\n]*--workers \d+", page.read_text())
    return command


def is_alive(pid):
    """Whether there is such a process, and not only its exit status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.cases("CLO-07", "SOC-04")
def test_the_documented_command_runs_two_workers_and_stops_them(garden, redis_server, ada, grace):
    command = command_in(ROOT / "examples" / garden.FOLDER / "README.md")
    assert " ".join(garden.PROGRAM) in command
    assert command in (ROOT / "docs" / "how-to" / "workers.md").read_text()
    surroundings = environment(garden.settings.database_url, redis_server.url)
    surroundings["UVICORN_PORT"] = "0"
    surroundings["PATH"] = f"{Path(sys.executable).parent}:{surroundings['PATH']}"

    async def story(address):
        laptop, other = signed_in(garden, address, ada), signed_in(garden, address, grace)
        async with Tabs() as tabs:
            adas, graces = await tabs.open(laptop, 16), await tabs.open(other, 16)
            await asyncio.to_thread(close, laptop)
            return await confirmation_emails(adas), await still_open(graces)

    with Process(shlex.split(command), surroundings) as supervisor:
        address = supervisor.address()
        supervisor.wait_for("Application startup complete", 2)
        codes, graces_are_open = asyncio.run(story(address))
    pids = re.findall(r"Started server process \[(\d+)\]", "".join(supervisor.said))

    assert codes == [4401] * 16
    assert graces_are_open
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


@pytest.mark.cases("CLO-07", "SOC-04")
def test_closing_on_one_worker_ends_the_tabs_on_both_and_nobody_elses(garden, two, ada, grace):
    here, there = two
    laptop, phone = signed_in(garden, here, ada), signed_in(garden, there, ada)
    others = [signed_in(garden, address, grace) for address in two]

    async def story():
        async with Tabs() as tabs:
            adas = await tabs.open(laptop, 2) + await tabs.open(phone, 3)
            adas += await tabs.open(at(there, laptop))
            graces = [tab for browser in others for tab in await tabs.open(browser, 2)]
            await asyncio.to_thread(close, laptop)
            return await confirmation_emails(adas), await still_open(graces)

    codes, graces_are_open = asyncio.run(story())

    assert codes == [4401] * 6
    assert graces_are_open
    assert not any(browser.is_signed_in for browser in (laptop, phone, at(there, laptop)))
    assert all(browser.is_signed_in for browser in others)


@pytest.mark.cases("SOC-04", "LOG-13", "LOG-16")
def test_log_out_ends_the_sockets_of_that_session_on_both_workers_and_no_others(
    garden, two, ada, grace
):
    here, there = two
    laptop, phone = signed_in(garden, here, ada), signed_in(garden, there, ada)
    other = signed_in(garden, there, grace)

    async def story():
        async with Tabs() as tabs:
            gone = await tabs.open(laptop, 2) + await tabs.open(at(there, laptop), 2)
            stays = await tabs.open(phone, 2) + await tabs.open(at(here, phone), 2)
            stays += await tabs.open(other)
            answer = await asyncio.to_thread(laptop.script, "DELETE", "/users/log_out")
            assert answer.status_code == 204
            return await confirmation_emails(gone), await still_open(stays)

    codes, others_are_open = asyncio.run(story())

    assert codes == [4401] * 4
    assert others_are_open
    assert phone.is_signed_in


@pytest.mark.tutorial("T31a")
def test_a_plot_that_is_picked_on_one_worker_is_seen_taken_on_the_other(garden, two, ada, grace):
    here, there = two
    garden.add(Plot(label="A1", crop="beans"))
    laptop, phone = signed_in(garden, here, ada), signed_in(garden, there, ada)
    other = signed_in(garden, there, grace)

    async def story():
        async with Tabs() as tabs:
            (adas,), (graces,) = await tabs.open(phone), await tabs.open(other)
            await asyncio.to_thread(laptop.submit, "/plots/pick", plot="A1")
            return [await adas.hear(), await adas.hear()], await graces.hear()

    heard, seen = asyncio.run(story())

    taken = {"event": "plot_taken", "payload": {"plot": "A1", "freed": None}}
    assert heard == [{"event": "plot_picked", "payload": {"plot": "A1"}}, taken]
    assert seen == taken


@pytest.mark.cases("SOC-04", "CLO-08")
def test_with_the_broker_dead_each_of_100_sockets_ends_at_its_next_event(
    garden, two, redis_server, ada, grace
):
    here, there = two
    eve = signed_in(garden, there, garden.member("eve@garden.example"))
    people = [(signed_in(garden, here, key), signed_in(garden, there, key)) for key in (ada, grace)]

    async def story():
        async with Tabs() as tabs:
            (eves,) = await tabs.open(eve)
            theirs = [tab for _, phone in people for tab in await tabs.open(phone, 50)]
            redis_server.stop()
            before = time.monotonic()
            for laptop, _ in people:
                await asyncio.to_thread(close, laptop)
            taken = time.monotonic() - before
            for tab in theirs:
                await tab.wire.send('{"id": 2, "event": "pick_plot", "payload": {"plot": "A1"}}')
            return taken, await confirmation_emails(theirs), await still_open([eves])

    taken, codes, eve_is_open = asyncio.run(story())

    assert codes == [4401] * 100
    assert eve_is_open
    assert taken < 10  # two closings; none waits for the broker longer than a moment
    assert not any(browser.is_signed_in for pair in people for browser in pair)


def test_when_the_broker_is_back_who_was_signed_out_meanwhile_is_told(
    garden, two, redis_server, ada
):
    """Nothing is replayed: each worker asks its sockets anew."""
    here, there = two
    laptop, phone = signed_in(garden, here, ada), signed_in(garden, there, ada)

    async def story():
        async with Tabs() as tabs:
            gone = await tabs.open(at(there, laptop), 2)
            stays = await tabs.open(phone)
            redis_server.stop()
            await asyncio.to_thread(laptop.script, "DELETE", "/users/log_out")
            redis_server.start()
            return await confirmation_emails(gone), await still_open(stays)

    assert asyncio.run(story()) == ([4401, 4401], True)


def test_20_tabs_among_200_end_within_a_second(garden, two, ada):
    """`python -m benchmarks sockets` measures it among 1,000."""
    here, there = two
    keys = [garden.member(f"member{number}@garden.example") for number in range(9)]
    laptop, phone = signed_in(garden, here, ada), signed_in(garden, there, ada)
    others = [signed_in(garden, there, key) for key in keys]

    async def story():
        async with Tabs() as tabs:
            adas = await tabs.open(phone, 20)
            rest = [tab for browser in others for tab in await tabs.open(browser, 20)]
            await asyncio.to_thread(close, laptop)
            before = time.monotonic()
            codes = await confirmation_emails(adas)
            return codes, time.monotonic() - before, await still_open(rest)

    codes, seconds, others_are_open = asyncio.run(story())

    assert codes == [4401] * 20
    assert others_are_open
    assert seconds < 1
