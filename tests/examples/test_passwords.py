"""A new password through a link sent by mail."""

from functools import partial

import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed

from garden.accounts import tokens
from tests.support.gardens import PASSWORD, alike

EMAIL = "ada@garden.example"
NEW = "sweet corn and squash"


@pytest.fixture
def ada(garden):
    return garden.member()


@pytest.fixture
def link(garden, ada):
    return f"/users/reset_password/{garden.token(ada, tokens.RESET_PASSWORD)}"


@pytest.mark.cases("RST-01")
def test_known_and_unknown_addresses_get_one_answer_and_one_of_them_a_mail(garden, ada):
    browser, stranger = garden.browser(), garden.browser()

    answer = browser.submit("/users/reset_password", email=EMAIL)
    same = stranger.submit("/users/reset_password", email="nobody@garden.example")

    assert alike(answer) == alike(same)
    assert browser.notice == stranger.notice
    secret = garden.link().rsplit("/", 1)[1]
    assert [mail.to for mail in garden.mailbox.all()] == [EMAIL]
    assert garden.rows("SELECT user_id, context, sent_to, token FROM users_tokens") == [
        {
            "user_id": ada,
            "context": "reset_password",
            "sent_to": EMAIL,
            "token": tokens.hash_secret(secret),
        }
    ]


@pytest.mark.cases("RST-02")
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_valid_link_sets_the_password_and_drops_every_token(garden, ada, link, method):
    elsewhere, browser = garden.signed_in(), garden.browser()
    garden.token(ada, tokens.RESET_PASSWORD)
    browser.open(link)

    answer = browser.submit(link, method=method, password=NEW, password_confirmation=NEW)

    assert answer.headers["location"] == "/users/log_in"
    assert garden.count("users_tokens") == 0
    assert not elsewhere.is_signed_in
    assert not browser.is_signed_in
    browser.open(link)
    assert "isn't valid" in browser.notice
    assert browser.log_in(EMAIL, PASSWORD).status_code == 422
    assert browser.log_in(EMAIL, NEW).status_code == 303


@pytest.mark.cases("RST-02")
def test_of_two_who_use_a_link_at_once_one_sets_a_password(garden, link):
    """Both have found it valid; the database decides."""
    passwords = {NEW: garden.browser(), "squash and sweet corn": garden.browser()}
    for browser in passwords.values():
        browser.open(link)

    def lock(connection, begin):
        connection.execute(text("UPDATE users SET name = name"))
        begin()

    garden.during(
        lock,
        *[
            partial(browser.submit, link, password=password, password_confirmation=password)
            for password, browser in passwords.items()
        ],
    )

    (refused,) = [each for each, browser in passwords.items() if "isn't valid" in browser.notice]
    (used,) = passwords.keys() - {refused}
    assert garden.browser().log_in(EMAIL, refused).status_code == 422
    assert garden.browser().log_in(EMAIL, used).status_code == 303
    assert [mail.subject for mail in garden.mailbox.all()] == ["Your password was changed"]


@pytest.mark.cases("RST-02")
def test_sockets_of_the_dropped_tokens_end(garden, link):
    """tutorial:P1"""
    with garden.served() as browser:
        phone, stranger = browser(), browser()
        phone.log_in(EMAIL)
        with phone.socket() as socket:
            stranger.submit(link, password=NEW, password_confirmation=NEW)

            assert socket.hear()["event"] == "logout"
            with pytest.raises(ConnectionClosed):
                socket.hear()


@pytest.mark.cases("RST-03")
@pytest.mark.parametrize(
    ("password", "confirmation", "errors"),
    [
        ("short", "short", {"password": "should be at least 12 characters"}),
        (NEW, PASSWORD, {"password_confirmation": "doesn't match the password"}),
        ("", "", {"password": "can't be blank"}),
    ],
)
def test_a_password_that_is_not_accepted_leaves_everything_as_it_was(
    garden, link, password, confirmation, errors
):
    before, browser = garden.everything(), garden.browser()

    answer = browser.submit(link, password=password, password_confirmation=confirmation)

    assert answer.status_code == 422
    assert browser.errors == errors
    assert garden.everything() == before
    assert browser.get(link).status_code == 200


@pytest.mark.cases("RST-04")
@pytest.mark.parametrize("secret", ["x", "A" * 43, "%0A", "ä", "A" * 43 + "="])
def test_garbage_leads_home_with_an_error(garden, ada, secret):
    browser = garden.browser()

    opened = browser.open(f"/users/reset_password/{secret}")
    sent = browser.submit(f"/users/reset_password/{secret}", password=NEW)

    assert (opened.headers["location"], sent.headers["location"]) == ("/", "/")
    assert "isn't valid" in browser.notice


@pytest.mark.cases("RST-04")
def test_an_expired_link_leads_home_with_an_error_before_anybody_types(garden, link):
    garden.clock.advance(hours=1)
    browser = garden.browser()

    answer = browser.open(link)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "isn't valid" in browser.notice


@pytest.mark.cases("RST-04")
def test_a_link_that_expires_while_the_form_is_open_is_looked_at_once_more(garden, ada, link):
    """tutorial:P2"""
    browser = garden.browser()
    browser.open(link)
    before = garden.row(ada)
    garden.clock.advance(hours=1)

    browser.submit(link, password=NEW, password_confirmation=NEW)

    assert "isn't valid" in browser.notice
    assert garden.row(ada) == before


def test_members_who_are_logged_in_are_led_away(garden, ada, link):
    browser = garden.signed_in()

    assert browser.open("/users/reset_password").headers["location"] == "/"
    assert browser.open(link).headers["location"] == "/"


def test_a_new_password_is_told_to_its_owner_and_a_link_proves_the_address(garden):
    """tutorial:RT-20, tutorial:P6"""
    ada = garden.member(confirmed=False)
    attacker = garden.signed_in()
    link = f"/users/reset_password/{garden.token(ada, tokens.RESET_PASSWORD)}"

    garden.browser().submit(link, password=NEW, password_confirmation=NEW)

    assert [mail.subject for mail in garden.mailbox.to(EMAIL)] == ["Your password was changed"]
    assert garden.row(ada)["confirmed_at"] is not None
    assert not attacker.is_signed_in
