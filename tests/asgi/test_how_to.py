"""The how-to pages about WebSockets, workers and CSRF: what they show is run."""

import json
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from efface.live.frames import LARGEST
from efface.live.message_loop import LARGEST_UNHANDLED, MOST_UNHANDLED
from efface.live.signed_signals import SignalSigner
from efface.live.socket_writer import FAILED, LOGGED_OUT, TOO_FAST, TOO_LARGE, TOO_MANY
from tests.support.page_in_node.serving import serve
from tests.support.paths import DOCS
from tests.test_docs import Written, at, block, blocks

HOW_TO = DOCS / "how-to"


@pytest.fixture
def typed(tmp_path, request):
    """The module that a page builds out of its blocks, and the templates beside it."""
    page, module = request.param
    with at(tmp_path, SESSION_SECRET="a secret") as monkeypatch:
        written = Written(tmp_path, monkeypatch)
        for language, code in blocks(HOW_TO / page):
            if language == "python":
                written.python(code)
            elif code.startswith("{# templates/"):
                written.file(code)
        yield written.modules[module]


class Reader(httpx.Client):
    """A browser at the application of a page, served for real."""

    def __init__(self, address):
        super().__init__(base_url=address)
        self.address = address

    def socket(self, path, origin):
        """Open a socket as a page there does."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = self.address.replace("http", "ws", 1) + path
        return connect(address, origin=origin, additional_headers={"Cookie": cookies})


@contextmanager
def reading(module):
    """Serve the application of a page."""
    with serve(module.app) as address, Reader(address) as browser:
        yield browser


def test_the_page_on_workers_makes_a_broker(tmp_path):
    key = "a secret of this page alone"
    with at(tmp_path, REDIS_URL="redis://127.0.0.1:1/0", BROKER_SECRET=key) as monkeypatch:
        page = Written(tmp_path, monkeypatch)
        page.python(block(HOW_TO / "workers.md", "python"))

    assert page.scratch["broker"].topic(1) == SignalSigner(key.encode()).topic(1)


# ---------------------------------------------------------------- the WebSocket


@pytest.mark.parametrize("typed", [("live.md", "server")], indirect=True)
def test_the_socket_of_the_page_answers_as_the_page_says(typed):
    said = (HOW_TO / "live.md").read_text()
    with reading(typed) as browser:
        token = browser.get("/").json()["token"]
        with browser.socket(f"/live?_csrf_token={token}", browser.address) as socket:
            socket.send('{"id": 7, "event": "vote", "payload": {"dish": "soup"}}')
            heard = [json.loads(socket.recv(10)) for _ in range(3)]
            socket.send('{"id": 8, "event": "vote", "payload": {"dish": "stew"}}')
            refused = json.loads(socket.recv(10))

    assert heard[0] == {"event": "voted", "payload": {"dish": "soup"}}
    assert f"`{json.dumps(heard[1])}`" in said
    assert f"`{json.dumps(heard[2])}`" in said
    assert refused == {"ack": 8, "status": "refused", "message": "There is no such dish."}


def test_the_page_names_every_close_code_and_limit():
    said = (HOW_TO / "live.md").read_text()

    for code in (LOGGED_OUT, TOO_FAST, TOO_MANY, TOO_LARGE, FAILED):
        assert f"| {code} |" in said
    kibibytes = LARGEST_UNHANDLED // 1024
    assert f"over {MOST_UNHANDLED} messages, or {kibibytes} KiB, were waiting" in said
    assert f"longer than {LARGEST // 1024} KiB" in said


# ---------------------------------------------------------------- CSRF alone

CROSS = {"Sec-Fetch-Site": "cross-site"}
csrf_page = pytest.mark.parametrize("typed", [("csrf.md", "server")], indirect=True)


def token_on(browser):
    return browser.get("/notes").text.split('name="csrf-token" content="')[1].split('"')[0]


@csrf_page
@pytest.mark.cases("CSR-01", "CSR-02")
def test_field_and_header_are_good_and_nothing_else_is(typed):
    with reading(typed) as browser:
        token = token_on(browser)
        by_field = browser.post("/notes", data={"_csrf_token": token})
        by_header = browser.post("/notes", headers={"X-CSRF-Token": token})
        refused = [
            browser.post("/notes"),
            browser.post("/notes", params={"_csrf_token": token}),
            browser.post("/notes", headers={"X-CSRF-Token": token} | CROSS),
            browser.post("/notes", headers={"X-CSRF-Token": token, "Origin": "https://x.example"}),
        ]

    assert by_field.text == by_header.text == "Noted."
    assert [answer.status_code for answer in refused] == [403] * 4


@csrf_page
@pytest.mark.cases("CSR-04")
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_log_in_and_log_out_make_every_page_from_before_stale(typed, path):
    with reading(typed) as browser:
        browser.post("/login", data={"_csrf_token": token_on(browser)})
        before = token_on(browser)
        browser.post(path, data={"_csrf_token": before})
        stale = browser.post("/notes", data={"_csrf_token": before})
        fresh = browser.post("/notes", data={"_csrf_token": token_on(browser)})

    assert stale.status_code == 403
    assert "Reload the page" in stale.text
    assert fresh.text == "Noted."


@csrf_page
@pytest.mark.cases("CSR-05")
def test_a_handshake_needs_origin_and_token(typed):
    with reading(typed) as browser:
        token = token_on(browser)
        with browser.socket(f"/news?_csrf_token={token}", browser.address) as socket:
            assert socket.recv(10) == "Fresh bread at noon."
        for query, origin in (
            (f"_csrf_token={token}", None),
            (f"_csrf_token={token}", "https://x.example"),
            ("", browser.address),
        ):
            with pytest.raises(InvalidStatus) as refusal:
                browser.socket(f"/news?{query}", origin)
            assert refusal.value.response.status_code == 403


def test_csrf_needs_starlette_alone():
    """Neither a template engine nor a database, nor anything that closes accounts."""
    program = (
        "import sys\n"
        "for name in ('jinja2', 'sqlalchemy', 'redis'): sys.modules[name] = None\n"
        "import efface.asgi.csrf\n"
        "print(*sorted(name for name in sys.modules if name.startswith('efface')))"
    )

    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()

    parts = (
        *("", ".asgi", ".asgi.csrf", ".asgi.form_reader", ".asgi.negotiated_language"),
        *(".asgi.request_origin", ".page", ".page.csrf_refusal", ".page.local_paths"),
        ".page.translations",
    )
    assert loaded == [f"efface{part}" for part in parts]
