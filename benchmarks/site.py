"""The closing through the real server: by the form, and from the click to the farewell page."""

import json
import re
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import httpx
from websockets.sync.client import connect

from benchmarks import people, server
from benchmarks.measure import Measure, p95, within
from garden.app import create_app
from garden.server_thread import bind, serving
from garden.site_settings import Limit, Limits, Settings

ROUNDS = 100
PAGES = 400
WARM_UP = 5
MIN_AGE = 10
FIELD = re.compile(r'name="_csrf_token" value="([^"]+)"')


class UnexpectedAnswerError(Exception):
    """The site did not do what is being measured."""


def post_and_click() -> Iterator[Measure]:
    form, click = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.db"
        people.create(path)[0].dispose()
        hashed = server.cheap_passwords().hash(people.PASSWORD)
        number = 2 * (ROUNDS + WARM_UP)
        keys = people.settle_in(path, people.TWO_HUNDRED, number, hashed=hashed)
        with server.running(path) as site:
            for one, other in zip(keys[::2], keys[1::2], strict=True):
                form.append(closed_by_form(site, one))
                wait_until_settled(path)
                click.append(closed_by_click(site, other))
                wait_until_settled(path)
        expect(closed_in(path), number)
    rows = people.TWO_HUNDRED.rows
    yield within(
        f"POST of the closing, {rows} rows, no password check, 95th percentile",
        p95(form[WARM_UP:]),
        60,
        "ms",
    )
    yield within(
        f"click to farewell over the socket, {rows} rows, 95th percentile",
        p95(click[WARM_UP:]),
        150,
        "ms",
    )


def settings_with_section() -> Iterator[Measure]:
    """Compare the settings page with the page without its last section, one after the other."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.db"
        people.create(path)[0].dispose()
        hashed = server.cheap_passwords().hash(people.PASSWORD)
        people.settle_in(path, people.TWO_HUNDRED, 20, hashed=hashed)
        # All from one client, faster than anybody types.
        often = Limit(client=100_000, account=100_000)
        limits = Limits(login=often, password=often)
        site = Settings(f"sqlite:///{path}", "a secret of the benchmark", dev=True, limits=limits)
        app = create_app(site, hasher=server.cheap_passwords())
        shown = app.state.templates.env.globals
        section = shown["account_closing"]
        socket = bind("127.0.0.1", 0)
        address = f"http://127.0.0.1:{socket.getsockname()[1]}"
        with serving(app, socket), httpx.Client(base_url=address) as browser:
            settings_page(browser, 1)
            for _ in range(PAGES):
                for has_section in (True, False):
                    shown["account_closing"] = section if has_section else _nothing
                    start = perf_counter()
                    page = browser.get("/users/settings")
                    taken[has_section].append(perf_counter() - start)
                    expect("delete-account" in page.text, has_section)
        app.state.engine.dispose()
    with_it, without = median(taken[True]), median(taken[False])
    yield Measure(
        f"settings page with the closing section, {people.TWO_HUNDRED.rows} rows, to without",
        with_it / without,
        1.3,
        f"{with_it * 1000:.2f} to {without * 1000:.2f} ms",
    )


def _nothing(*_: object) -> str:
    return ""


def closed_by_form(site: str, key: int) -> float:
    """Return the seconds of the POST, answer included."""
    with httpx.Client(base_url=site, headers={"Origin": site}) as browser:
        token = settings_page(browser, key)
        fields = {
            "_csrf_token": token,
            "current_password": people.PASSWORD,
            "confirm": "yes",
        }
        start = perf_counter()
        answer = browser.post("/users/settings/close", data=fields)
        taken = perf_counter() - start
        expect(answer.status_code, HTTPStatus.SEE_OTHER)
    return taken


def closed_by_click(site: str, key: int) -> float:
    """Return the seconds from the event to the farewell page, as the page's script goes."""
    with httpx.Client(base_url=site, headers={"Origin": site}) as browser:
        token = settings_page(browser, key)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
        live = str(httpx.URL(site.replace("http", "ws") + "/live", params={"_csrf_token": token}))
        with connect(live, origin=site, additional_headers={"Cookie": cookies}) as line:
            # An unknown event first: its ack says that the socket is being served.
            line.send(json.dumps({"id": 1, "event": "hello", "payload": {}}))
            expect(json.loads(line.recv())["ack"], 1)
            payload = {"current_password": people.PASSWORD, "confirm": "yes"}
            start = perf_counter()
            line.send(json.dumps({"id": 2, "event": "anonymize", "payload": payload}))
            expect(json.loads(line.recv()), {"ack": 2, "status": "ok"})
            pushed = json.loads(line.recv())
            expect(pushed["event"], "logout")
            headers = {"X-CSRF-Token": token}
            answer = browser.delete("/users/log_out", headers=headers)
            expect(answer.is_success, wanted=True)
            expect(browser.get(pushed["payload"]["to"]).status_code, HTTPStatus.OK)
            return perf_counter() - start


def settings_page(browser: httpx.Client, key: int) -> str:
    """Log in and return the token of the settings page."""
    token = token_in(browser.get("/users/log_in"))
    fields = {
        "_csrf_token": token,
        "email": people.email_of(key),
        "password": people.PASSWORD,
    }
    expect(browser.post("/users/log_in", data=fields).status_code, HTTPStatus.SEE_OTHER)
    return token_in(browser.get("/users/settings"))


def token_in(page: httpx.Response) -> str:
    """Return the token of the first form on the page."""
    expect(page.status_code, HTTPStatus.OK)
    return FIELD.search(page.text)[1]


def wait_until_settled(path: Path) -> None:
    """Let the search after one closing end before the next: people do not leave in a row."""
    connection = people.connect(path)
    query = "SELECT count(*) FROM efface_closings WHERE finalized_at IS NULL"
    ends = perf_counter() + MIN_AGE
    while connection.execute(query).fetchone() != (0,):
        expect(perf_counter() < ends, wanted=True)
        sleep(0.005)
    connection.close()


def closed_in(path: Path) -> int:
    """Return how many accounts are closed."""
    connection = people.connect(path)
    query = "SELECT count(*) FROM users WHERE deleted_at IS NOT NULL"
    (number,) = connection.execute(query).fetchone()
    connection.close()
    return number


def expect(found: object, wanted: object) -> None:
    """Stop where what was measured is not what should have happened."""
    if found != wanted:
        raise UnexpectedAnswerError(f"{found!r} instead of {wanted!r}")
