"""What must not be told: nothing in the log names anybody, and garbage gets an answer like any."""

import logging
import re

import pytest

from tests.support.gardens import PASSWORD

EMAIL, NEW_EMAIL = "ada@garden.example", "countess@garden.example"
NEW = "sweet corn and squash"
WRONG = "not the password at all"
LINK = re.compile(r"/users/\S+/([\w-]{43})")


@pytest.fixture
def garden(open_garden):
    """A garden that says all it can say, down to the details."""
    return open_garden(log_level=logging.DEBUG)


def secrets_of(garden, browsers):
    """Everything that the flows below have handled and nobody else may read."""
    links = [secret for mail in garden.mailbox.all() for secret in LINK.findall(mail.text)]
    cookies = [value for browser in browsers for value in browser.cookies.values()]
    tokens = [browser.token for browser in browsers if browser.token]
    return {EMAIL, NEW_EMAIL, "Lovelace", PASSWORD, NEW, WRONG, *links, *cookies, *tokens}


def round_of(garden, browser, other):
    """Join, confirm, log in and out, change, fail, reset, and leave."""
    browser.submit("/users/register", email=EMAIL, password=PASSWORD, name="Ada Lovelace")
    browser.submit(garden.link())
    other.log_in(EMAIL, WRONG)
    other.log_in(EMAIL, remember_me="true")
    other.submit("/posts", title="Beans", body="They are up.")
    browser.open("/users/settings")
    change = {"action": "update_email", "email": NEW_EMAIL}
    browser.submit("/users/settings", current_password=WRONG, **change)
    browser.submit("/users/settings", current_password=PASSWORD, **change)
    browser.open(garden.link(NEW_EMAIL))
    fields = {"password": NEW, "password_confirmation": NEW}
    browser.submit("/users/settings", action="update_password", current_password=PASSWORD, **fields)
    browser.submit("/users/log_out", _method="delete")
    browser.submit("/users/reset_password", email=NEW_EMAIL)
    browser.submit(garden.link(NEW_EMAIL), password=PASSWORD, password_confirmation=PASSWORD)
    browser.log_in(NEW_EMAIL)
    garden.clock.advance(days=8)
    browser.open("/")
    browser.log_in(NEW_EMAIL)
    browser.open("/users/settings")
    close = "/users/settings/close"
    browser.submit(close, current_password=WRONG, confirm="yes")
    return browser.submit(close, current_password=PASSWORD, confirm="yes")


@pytest.mark.cases("REG-06")
def test_a_whole_round_of_flows_leaves_no_address_token_or_password_in_the_log(garden):
    """tutorial:G41"""
    browser, other = garden.browser(), garden.browser()

    answer = round_of(garden, browser, other)
    garden.finalized()

    assert answer.headers["location"] == "/"
    assert garden.rows("SELECT 1 FROM users WHERE deleted_at IS NOT NULL")
    found = {secret for secret in secrets_of(garden, [browser, other]) if len(secret) > 5}
    assert len(found) >= 9
    told = garden.log
    assert told
    assert {secret for secret in found if secret in told} == set()


def test_a_failing_database_is_logged_without_what_was_being_written(garden):
    garden.member(name="Ada Lovelace")
    secrets = {EMAIL, NEW_EMAIL, "Lovelace", PASSWORD, NEW}
    fields = {"password": NEW, "password_confirmation": NEW, "current_password": PASSWORD}
    with garden.served() as browsers:
        laptop = browsers()
        laptop.log_in(EMAIL)
        laptop.open("/users/settings")
        garden.refuse("UPDATE", "users")
        answer = laptop.submit("/users/settings", action="update_password", **fields)

    told = garden.log
    assert answer.status_code == 500
    assert "Traceback" in told
    assert {secret for secret in secrets if secret in told} == set()


def test_the_servers_access_log_names_the_page_and_not_the_link(garden):
    ada = garden.member()
    link = garden.token(ada, "reset_password")
    with garden.served() as browsers:
        laptop = browsers()
        laptop.log_in(EMAIL)
        laptop.submit("/users/log_out", _method="delete")
        laptop.open(f"/users/reset_password/{link}")

    assert "GET /users/reset_password/· HTTP" in garden.log
    assert link not in garden.log


GARBAGE = [
    "not base64!",
    "A" * 43 + "=",
    "A" * 43 + "\n",
    "A" * 42 + "\x00",
    "ä" * 43,
    "a" * 5_000,
    "' OR 1=1 --",
    "%",
]


@pytest.mark.cases("CNF-05", "RST-04", "MAG-05")
@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("profile", ["magic", pytest.param("password", marks=pytest.mark.slow)])
def test_no_token_of_any_kind_is_a_failure_of_the_server(open_garden, profile, garbage):
    garden = open_garden(profile=profile)
    garden.member()
    member, stranger = garden.signed_in(), garden.browser()
    stranger.open("/")
    statuses = set()
    for browser in (member, stranger):
        for path in ("confirm", "reset_password", "log_in", "settings/confirm_email"):
            answer = browser.request("GET", "/users/" + path + "/x", params={"t": garbage})
            statuses.add(answer.status_code)
            statuses.add(browser.get(f"/users/{path}/{quoted(garbage)}").status_code)
            fields = {"password": NEW, "_csrf_token": browser.token or member.token}
            sent = browser.post(f"/users/{path}/{quoted(garbage)}", data=fields)
            statuses.add(sent.status_code)
        sent = browser.submit("/users/log_in", token=garbage)
        statuses.add(sent.status_code)

    assert max(statuses) < 500
    assert garden.count("users") == 1


@pytest.mark.cases("LOG-06")
@pytest.mark.parametrize("garbage", [*GARBAGE, 7, None, ["x"], {"a": "b"}])
def test_a_session_that_holds_garbage_is_nobodys(garden, garbage):
    """It is signed, so only we could have written it: an older version of the site, perhaps."""
    garden.member()
    browser = garden.browser()
    value = garden.session_cookie(user_token=garbage, user_id=garbage)
    browser.cookies.set("session", value, domain="garden.test")

    assert browser.get("/").status_code == 200
    assert not browser.is_signed_in


def quoted(text):
    """Return it as a segment of a path."""
    return "".join(f"%{byte:02X}" for byte in text.encode())
