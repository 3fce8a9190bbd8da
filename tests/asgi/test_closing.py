"""Closing over HTTP: the page, the plain form, and everything that may be wrong with it."""

import asyncio
import json
import logging
from base64 import b64decode

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware

from tests.asgi.site import PASSWORD, Site

pytestmark = pytest.mark.anyio

RIGHT = {"current_password": PASSWORD, "confirm": "yes"}


@pytest.fixture
async def browser(open_browser, ada):
    async with open_browser() as browser:
        yield await browser.sign_in(ada)


@pytest.mark.tutorial("T22", "T23")
async def test_one_call_puts_the_section_into_the_settings_page(browser):
    page = (await browser.get("/settings")).text

    assert '<section id="delete-account"' in page
    assert 'data-logout-path="/users/log_out" data-redirect-path="/"' in page
    assert "Delete your account?" in page
    assert ">Delete account</button>" in page
    assert "<script>" not in page
    assert "style=" not in page
    assert "onclick" not in page


@pytest.mark.tutorial("T25")
async def test_the_section_says_what_goes_and_what_stays(browser):
    goes, stays = (await browser.get("/settings")).text.split("What we keep")

    assert "users tokens (1)" in goes
    assert "your account: email, hashed password" in goes
    assert "posts (3), without your data in body" in stays


@pytest.mark.cases("CLO-09")
async def test_the_plain_form_closes_the_account(site, browser, ada):
    answer = await browser.close_account(**RIGHT)

    await site.closing.wait_finalized()
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert answer.headers["cache-control"] == "no-store"
    assert not site.is_open(ada)
    assert site.tokens(ada) == []
    assert "_remember_me" not in browser.cookies
    page = await browser.get("/")
    assert "Your account has been deleted" in page.text
    assert "Nobody is signed in." in page.text


async def test_closing_clears_everything_the_session_held(browser):
    answer = await browser.close_account(**RIGHT)

    assert in_session(browser).keys() == {"flash"}
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("_remember_me"))
    assert "Max-Age=0" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_what_was_closed_is_settled_in_the_background(site, browser):
    await browser.close_account(**RIGHT)

    await site.closing.wait_finalized()
    with site.engine.connect() as connection:
        assert connection.scalar(text("SELECT finalized_at FROM efface_closings")) is not None


@pytest.mark.parametrize(
    ("fields", "checks"),
    [
        ({"current_password": "wrong", "confirm": "yes"}, 1),
        ({"current_password": "", "confirm": "yes"}, 0),
        ({"confirm": "yes"}, 0),
        ({"current_password": "x" * 2000, "confirm": "yes"}, 0),
        ({"current_password": PASSWORD}, 0),
        ({"current_password": PASSWORD, "confirm": "no"}, 0),
    ],
    ids=["wrong", "empty", "missing", "huge", "unconfirmed", "no"],
)
@pytest.mark.cases("CLO-10")
async def test_a_wrong_password_or_no_confirmation_changes_nothing(
    site, browser, ada, fields, checks
):
    answer = await browser.close_account(**fields)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "Your account is still open" in answer.text
    assert '<section id="delete-account"' in answer.text
    assert site.checks == checks
    assert site.is_open(ada)
    assert len(site.tokens(ada)) == 1


async def test_without_a_token_nothing_is_even_asked(site, browser, ada):
    answer = await browser.post("/users/settings/close", data=RIGHT)

    assert answer.status_code == 403
    assert site.checks == 0
    assert site.is_open(ada)


async def test_the_endpoint_asks_for_the_token_where_the_middleware_was_forgotten(
    site, open_browser, ada
):
    """The closing protects itself: one forgotten line must not open it to other sites."""
    bare = Starlette(routes=site.app.routes)
    bare.add_middleware(SessionMiddleware, secret_key="s" * 32, max_age=None)
    async with open_browser(bare) as browser:
        await browser.sign_in(ada)
        answer = await browser.post("/users/settings/close", data=RIGHT)

    assert answer.status_code == 403
    assert site.is_open(ada)


async def test_a_visitor_is_led_to_the_login_and_back(site, open_browser, ada):
    async with open_browser() as browser:
        token = await browser.token("/")
        answer = await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})
        session = in_session(browser)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/users/log_in?return_to=%2Fusers%2Fsettings%2Fclose"
    assert session.keys() == {"_csrf_secret"}
    assert site.is_open(ada)


async def test_a_visitor_keeps_the_session_and_where_it_leads_after_the_login(site, open_browser):
    """The login page may store the path in its query in place of the one in the session."""
    async with open_browser() as browser:
        token = await browser.token("/wanted")
        answer = await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})
        session = in_session(browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/users/log_in")
    assert session["user_return_to"] == "/wanted"


def in_session(carrier):
    """What the session in the cookies of a browser or an answer holds."""
    return json.loads(b64decode(carrier.cookies["session"].split(".")[0]))


@pytest.mark.cases("CLO-13", "CLO-03")
async def test_two_submits_at_once_close_once_and_both_say_farewell(site, browser, ada):
    token = await browser.token("/settings")
    cookies = dict(browser.cookies)

    def submit():
        return browser.post(
            "/users/settings/close",
            data={"_csrf_token": token, **RIGHT},
            headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())},
        )

    answers = await asyncio.gather(submit(), submit())

    await site.closing.wait_finalized()
    assert [answer.status_code for answer in answers] == [303, 303]
    assert not site.is_open(ada)
    with site.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM efface_closings")) == 1


@pytest.mark.cases("CLO-13")
async def test_the_same_form_sent_again_after_closing_says_farewell_too(site, browser, ada):
    token = await browser.token("/settings")
    cookie = browser.cookies["session"]
    await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})
    before = site.user(ada).email
    browser.cookies.clear()
    browser.cookies.set("session", cookie)

    answer = await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert site.user(ada).email == before
    assert in_session(answer).keys() == {"flash"}
    assert "You are logged out." in (await browser.get("/")).text


@pytest.mark.cases("CSR-04")
async def test_a_page_of_one_person_closes_nothing_for_the_next(site, browser, ada, grace):
    """The browser has changed hands since the page was opened."""
    token = await browser.token("/settings")
    await browser.sign_in(grace)
    await browser.token("/settings")

    answer = await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})

    assert answer.status_code == 403
    assert site.is_open(ada)
    assert site.is_open(grace)


async def test_a_session_that_ends_during_the_password_check_closes_nothing(tmp_path, open_browser):
    """The owner signs out on the phone while somebody at the laptop guesses."""
    site = Site(tmp_path / "site.db")
    ada = site.add("ada@example.org")

    def slow(session, key, password):
        site.revoke(key)
        return True

    site = Site(tmp_path / "site.db", check_password=slow)
    async with open_browser(site.app) as browser:
        await browser.sign_in(ada)
        answer = await browser.close_account(**RIGHT)

    assert answer.status_code == 303
    assert site.is_open(ada)


async def test_only_true_is_a_right_password(tmp_path, open_browser):
    """A coroutine somebody forgot to await is truthy, and so is a user object."""
    site = Site(tmp_path / "site.db", check_password=lambda *_: object())
    ada = site.add("ada@example.org")
    async with open_browser(site.app) as browser:
        await browser.sign_in(ada)
        answer = await browser.close_account(**RIGHT)

    assert answer.status_code == 422
    assert site.is_open(ada)


@pytest.mark.cases("CLO-05")
async def test_a_database_that_refuses_gives_a_page_and_says_nothing_personal(
    site, browser, ada, caplog
):
    with site.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE UPDATE ON posts "
                "BEGIN SELECT RAISE(ABORT, 'no: ada@example.org'); END"
            )
        )

    with caplog.at_level(logging.DEBUG, "efface.asgi"):
        answer = await browser.close_account(**RIGHT)

    assert answer.status_code == 503
    assert "Something went wrong" in answer.text
    assert site.is_open(ada)
    assert len(site.tokens(ada)) == 1
    assert "Closing an account failed" in caplog.text
    assert "ada@" not in caplog.text
    assert PASSWORD not in caplog.text


async def test_an_identification_that_fails_gives_pages_and_says_nothing_personal(
    site, browser, caplog
):
    token = await browser.token("/settings")

    def fail(connection):
        raise LookupError("ada@example.org")

    site.closing.live._identify = fail

    answer = await browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})
    page = await browser.get("/users/settings/close")

    assert (answer.status_code, page.status_code) == (503, 503)
    assert "LookupError" in caplog.text
    assert "ada@" not in caplog.text


@pytest.mark.cases("CLO-08")
async def test_a_browser_that_goes_away_does_not_take_the_closing_with_it(site, browser, ada):
    token = await browser.token("/settings")
    checked = asyncio.Event()
    close = site.closing._attempts._carry_out

    async def carry_out(*given):
        checked.set()
        return await close(*given)

    site.closing._attempts._carry_out = carry_out
    request = asyncio.ensure_future(
        browser.post("/users/settings/close", data={"_csrf_token": token, **RIGHT})
    )
    await checked.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await site.closing.wait_finalized()

    assert not site.is_open(ada)


async def test_missing_tables_give_pages_not_errors(site, browser, ada, caplog):
    with site.engine.begin() as connection:
        connection.execute(text("DROP TABLE efface_closings"))

    settings = await browser.get("/settings")
    page = await browser.get("/users/settings/close")
    answer = await browser.close_account(**RIGHT)

    assert settings.status_code == 200
    assert page.status_code == 200
    assert answer.status_code == 503
    assert "create_tables" in caplog.text
    assert site.is_open(ada)


async def test_the_closing_page_stands_alone(browser, open_browser):
    page = await browser.get("/users/settings/close")

    assert page.status_code == 200
    assert "What will be deleted" in page.text
    assert page.text.count("<h1") == 1
    assert page.headers["cache-control"] == "no-store"


async def test_who_is_signed_out_reads_how_an_account_is_closed(open_browser):
    """Also without the app, and without having to log in first: it explains, and leads there."""
    async with open_browser() as nobody:
        page = await nobody.get("/users/settings/close")

    assert page.status_code == 200
    assert "<h1>Delete your account</h1>" in page.text
    assert 'href="/users/log_in?return_to=%2Fusers%2Fsettings%2Fclose"' in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize(
    ("name", "kind"), [("efface.js", "text/javascript"), ("efface.css", "text/css")]
)
async def test_script_and_style_are_served(browser, name, kind):
    answer = await browser.get(f"/users/settings/close/{name}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("setting", ["logout_path", "redirect_path"])
@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil",
        "javascript:0",
        "",
        "x",
    ],
)
def test_a_path_that_leads_off_the_site_is_refused_at_construction(tmp_path, setting, hostile):
    with pytest.raises(ValueError, match=setting):
        Site(tmp_path / "site.db", **{setting: hostile})


def test_an_async_password_check_is_refused_at_construction(tmp_path):
    async def check(*_):
        return False

    with pytest.raises(TypeError, match="plain function"):
        Site(tmp_path / "site.db", check_password=check)


def test_it_is_installed_once(site):
    with pytest.raises(RuntimeError, match="installed already"):
        site.closing.install(Starlette(), "/again")


async def test_a_form_that_is_refused_while_another_tab_closes_says_farewell(site, browser, ada):
    """The last question who it is finds nobody: that is no failure, and no page for them."""
    token = await browser.token("/settings")
    first = site.closing._attempts.close

    async def close(*given, **options):
        answer = await first(*given, **options)
        site.revoke(ada)
        return answer

    site.closing._attempts.close = close
    answer = await browser.post("/users/settings/close", data={"_csrf_token": token})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "You are logged out." in (await browser.get("/")).text
