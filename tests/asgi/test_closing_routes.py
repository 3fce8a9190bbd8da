"""The closing path for programs and for people without an account: JSON, farewell, slashes."""

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware

from efface.asgi import Blocker
from efface.asgi.csrf import CSRFMiddleware
from efface.page.security_headers import CONTENT_SECURITY_POLICY
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Site
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

CLOSE = "/users/settings/close"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
JSON = {"Accept": "application/json"}


@pytest.fixture
async def browser(open_browser, ada):
    async with open_browser() as browser:
        yield await browser.sign_in(ada)


async def send(browser, fields, **headers):
    """Post JSON as a script of the site does."""
    page = (await browser.get(CLOSE, headers=JSON)).json()
    headers = {"X-CSRF-Token": page.get("csrf_token") or "", **JSON, **headers}
    return await browser.post(CLOSE, json=fields, headers=headers)


# ---------------------------------------------------------------- JSON


async def test_a_program_reads_the_facts_of_the_page(browser):
    """pitfalls B-9: what a person reads there, an app can show."""
    page = (await browser.get(CLOSE)).text
    answer = await browser.get(CLOSE, headers=JSON)

    facts = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "Accept" in answer.headers["vary"]
    for line in [*facts["deleted"], *(line["text"] for line in facts["kept"]), *facts["names"]]:
        assert line in page
    assert facts["proof"] == "password"
    assert facts["blockers"] == []


async def test_a_program_closes_and_gets_the_record(site, browser, ada):
    answer = await send(browser, RIGHT)

    await site.closing.wait_finalized()
    assert answer.status_code == 200
    assert answer.json()["status"] == "closed"
    assert len(answer.json()["reference"]) == 32
    assert not site.is_open(ada)
    assert "_remember_me" not in browser.cookies


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, 422, "unconfirmed"),
        ({"confirm": "yes"}, 422, "wrong_password"),
        ({"confirm": "yes", "current_password": "wrong"}, 422, "wrong_password"),
        ({"confirm": True, "current_password": PASSWORD}, 422, "unconfirmed"),
        ({"confirm": "yes", "current_password": [PASSWORD]}, 422, "wrong_password"),
    ],
)
async def test_the_same_rules_hold_for_programs(site, browser, ada, *, fields, status, error):
    answer = await send(browser, fields)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "Your account is still open" in answer.json()["message"]
    assert site.is_open(ada)


async def test_what_blocks_is_named_to_programs(site, browser, ada):
    blockers = [Blocker("Settle this.", "/groups/7")]
    site.asked_under_the_lock(lambda *_: blockers)

    answer = await send(browser, RIGHT)

    assert answer.status_code == 409
    assert answer.json()["blockers"] == [{"text": "Settle this.", "href": "/groups/7"}]
    assert site.is_open(ada)


async def test_a_program_without_a_session_is_told_where_to_log_in(open_browser, site, ada):
    async with open_browser() as nobody:
        read = await nobody.get(CLOSE, headers=JSON)
        token = await nobody.token("/")
        sent = await nobody.post(CLOSE, json=RIGHT, headers={"X-CSRF-Token": token, **JSON})

    for answer in (read, sent):
        assert (answer.status_code, answer.json()["error"]) == (401, "logged_out")
        assert answer.json()["login_path"].startswith("/users/log_in?return_to=")
    assert site.is_open(ada)


async def test_json_without_the_token_is_refused(site, browser, ada):
    answer = await browser.post(CLOSE, json=RIGHT, headers=JSON)

    assert (answer.status_code, answer.json()["error"]) == (403, "csrf")
    assert site.is_open(ada)


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"yes"', 400),
        (b"\xff\xfe", 400),
        (b"NaN", 400),
        (b"1" * 5000, 400),
        (DEEP, 400),
        (b'{"confirm":"' + b"y" * 1024 * 1024 + b'"}', 413),
    ],
    ids=["empty", "half", "list", "text", "bytes", "nan", "number", "deep", "oversized"],
)
async def test_what_is_no_json_object_is_the_senders_mistake(site, browser, ada, body, status):
    token = await browser.token("/settings")
    headers = {"X-CSRF-Token": token, "Content-Type": "application/json", **JSON}

    answer = await browser.post(CLOSE, content=body, headers=headers)

    assert answer.status_code == status
    assert answer.json()["error"] in ("unreadable", "too_large")
    assert site.is_open(ada)


async def test_a_database_that_fails_is_said_to_programs_as_503(site, browser, ada):
    with site.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE efface_closings")

    answer = await send(browser, RIGHT)

    assert (answer.status_code, answer.json()["error"]) == (503, "failed")
    assert site.is_open(ada)


# ---------------------------------------------------------------- without a cookie


def mobile(tmp_path, **settings):
    """A site whose app sends a bearer token; its CSRF check knows by what people are known."""

    def is_bearer(connection):
        return connection.headers.get("authorization") == "Bearer ada's token"

    def identify(connection):
        return 1 if is_bearer(connection) else None

    site = Site(tmp_path / "mobile.db", identify=identify, csrf_exempt=is_bearer, **settings)
    app = Starlette(routes=site.app.routes)
    app.add_middleware(CSRFMiddleware, exempt=is_bearer)
    app.add_middleware(SessionMiddleware, secret_key="s" * 32)
    return site, site.add("ada@example.org"), app


async def test_an_app_with_a_bearer_token_needs_no_form_token(tmp_path, open_browser):
    site, ada, app = mobile(tmp_path)
    headers = {"Authorization": "Bearer ada's token", **JSON}
    async with open_browser(app) as phone:
        facts = await phone.get(CLOSE, headers=headers)
        answer = await phone.post(CLOSE, json=RIGHT, headers=headers)

    await site.closing.wait_finalized()
    assert facts.json()["proof"] == "password"
    assert answer.status_code == 200
    assert not site.is_open(ada)
    site.engine.dispose()


@pytest.mark.parametrize("authorization", [None, "", "Bearer wrong", "Basic x"])
async def test_leaving_something_out_exempts_from_nothing(tmp_path, open_browser, authorization):
    """No cookie, no origin, no token: that is what a sender can do alone, and it proves nothing."""
    site, ada, app = mobile(tmp_path)
    headers = {"Authorization": authorization} if authorization is not None else {}
    async with open_browser(app) as phone:
        answer = await phone.post(CLOSE, json=RIGHT, headers=JSON | headers)

    assert answer.status_code == 403
    assert site.is_open(ada)
    site.engine.dispose()


async def test_only_true_exempts(site, browser, ada):
    """Such as a coroutine that nobody awaited."""
    bare = Starlette(routes=site.app.routes)
    bare.add_middleware(CSRFMiddleware, exempt=lambda _: "yes")
    bare.add_middleware(SessionMiddleware, secret_key="s" * 32, max_age=None)
    browser._transport.app = bare

    answer = await browser.post(CLOSE, json=RIGHT, headers=JSON)

    assert answer.status_code == 403
    assert site.is_open(ada)


# ---------------------------------------------------------------- the farewell


async def test_the_farewell_page_needs_no_account(tmp_path, open_browser):
    """pitfalls B-6: with the number of the closing, its day, and what is kept."""
    site = Site(tmp_path / "site.db", redirect_path=None, recipients=["the seed merchant"])
    ada = site.add("ada@example.org", posts=2)
    async with open_browser(site.app) as browser:
        await browser.sign_in(ada)
        answer = await browser.close_account(**RIGHT)
        await site.closing.wait_finalized()
    async with open_browser(site.app) as stranger:
        page = await stranger.get(answer.headers["location"])
        record = await stranger.get(answer.headers["location"], headers=JSON)

    reference = answer.headers["location"].partition("/done?reference=")[2]
    assert answer.status_code == 303
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert reference in page.text
    assert "<h1>Your account has been deleted</h1>" in page.text
    assert "nothing with your data" in page.text
    assert "the seed merchant" in page.text
    assert record.json()["reference"] == reference
    assert not any(word in page.text + record.text for word in ("ada@", "example.org", "users_"))
    site.engine.dispose()


@pytest.mark.parametrize("reference", ["", "x", "0" * 32, "0" * 5000, "a%00", "%27", "..%2f", "ä"])
async def test_a_number_of_no_closing_is_not_found(open_browser, reference):
    async with open_browser() as stranger:
        page = await stranger.get(f"{CLOSE}/done?reference={reference}")
        answer = await stranger.get(f"{CLOSE}/done?reference={reference}", headers=JSON)

    assert (page.status_code, answer.status_code) == (404, 404)
    assert "Confirmation number not found" in page.text


async def test_the_socket_leads_to_the_farewell_too(address, site, ada):
    object.__setattr__(site.closing._installed, "landing", None)
    async with Browser(base_url=address) as browser:
        await browser.sign_in(ada)
        async with live(browser) as socket:
            await socket.ask("anonymize", RIGHT)
            pushed = await socket.receive()
        page = await browser.get(pushed["payload"]["to"])

    assert pushed["payload"]["to"].startswith(f"{CLOSE}/done?reference=")
    assert page.status_code == 200


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("end", ["", "/"])
async def test_a_slash_at_the_end_changes_nothing(site, browser, ada, end):
    """A redirect of a POST would lose the form, or send a password where nobody asked for it."""
    token = await browser.token("/settings")
    assets = [await browser.get(f"{CLOSE}/efface.{kind}{end}") for kind in ("js", "css")]
    page = await browser.get(f"{CLOSE}{end}")
    done = await browser.get(f"{CLOSE}/done{end}")

    answer = await browser.post(f"{CLOSE}{end}", data={"_csrf_token": token, **RIGHT})

    assert [asset.status_code for asset in assets] == [200, 200]
    assert (page.status_code, done.status_code) == (200, 404)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert not site.is_open(ada)


@pytest.mark.parametrize(
    "path",
    [
        f"{CLOSE}/%2e%2e/close",
        f"{CLOSE}/..%2fefface.js",
        f"{CLOSE}/efface.js/..",
        f"{CLOSE}/static/../../forms.py",
        f"{CLOSE}%00",
        f"{CLOSE};jsessionid=1",
        f"{CLOSE}/done/done",
        f"{CLOSE}/%ff",
    ],
)
async def test_a_path_of_nothing_is_not_found_and_never_redirected(site, browser, ada, path):
    token = await browser.token("/settings")

    read = await browser.get(path)
    sent = await browser.post(path, data={"_csrf_token": token, **RIGHT})

    assert read.status_code in (200, 404)
    assert sent.status_code in (404, 405, 403) or not site.is_open(ada)
    assert not sent.is_redirect or sent.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "//", "https://x", ""])
def test_the_closing_page_is_a_page_of_this_site_below_its_start(site, path):
    site.closing._installed = None

    with pytest.raises(ValueError, match=r"path|start page"):
        site.closing.install(Starlette(), path)


async def test_pages_bring_their_headers(browser, open_browser):
    async with open_browser() as nobody:
        pages = [
            await browser.get(CLOSE),
            await browser.get(f"{CLOSE}/done"),
            await nobody.get(CLOSE),
            await browser.close_account(confirm="no"),
        ]

    for page in pages:
        assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "style=" not in page.text
        assert "<script>" not in page.text
        assert "<style" not in page.text


async def test_a_record_is_json_of_texts(browser, site):
    answer = await send(browser, RIGHT)
    await site.closing.wait_finalized()

    record = json.loads(answer.text)

    assert set(record) == {
        "status",
        "message",
        "reference",
        "closed_at",
        "closed_on",
        "kept",
        "notified",
    }
