"""Logging in by a link, and accounts without a password."""

import pytest
from websockets.exceptions import ConnectionClosed

from garden.accounts import tokens
from garden.site_settings import Settings, UnknownProfileError
from tests.support.gardens import PASSWORD, alike

EMAIL = "ada@garden.example"
LOG_IN = "/users/log_in"
SETTINGS = "/users/settings"
NEW = "sweet corn and squash"


@pytest.fixture
def garden(open_garden):
    """A garden where links log in."""
    return open_garden(profile="magic")


def secret_in(link):
    return link.rsplit("/", 1)[1]


def test_who_joins_gets_a_link_and_is_not_logged_in_before_it_is_used(garden):
    browser = garden.browser()

    answer = browser.submit("/users/register", email=EMAIL, password=PASSWORD)

    assert answer.headers["location"] == LOG_IN
    assert not browser.is_signed_in
    assert garden.rows("SELECT hashed_password, confirmed_at FROM users") == [
        {"hashed_password": None, "confirmed_at": None}
    ]
    browser.open(garden.link())
    assert "Confirm your email address and log in" in browser.page
    answer = browser.submit(LOG_IN, token=secret_in(garden.link()))
    assert answer.headers["location"] == "/"
    assert browser.is_signed_in
    assert garden.rows("SELECT 1 FROM users WHERE confirmed_at IS NOT NULL")


@pytest.mark.cases("MAG-01")
def test_known_and_unknown_addresses_get_one_answer_and_one_of_them_a_mail(garden):
    ada = garden.member()
    browser, stranger = garden.browser(), garden.browser()

    answer = browser.submit(LOG_IN, action="send_link", email=EMAIL)
    same = stranger.submit(LOG_IN, action="send_link", email="nobody@garden.example")

    assert alike(answer) == alike(same)
    assert browser.notice == stranger.notice
    assert [mail.to for mail in garden.mailbox.all()] == [EMAIL]
    assert garden.rows("SELECT user_id, context, sent_to, token FROM users_tokens") == [
        {
            "user_id": ada,
            "context": "log_in",
            "sent_to": EMAIL,
            "token": tokens.hash_secret(secret_in(garden.link())),
        }
    ]


@pytest.mark.cases("MAG-01")
def test_a_mailer_that_fails_changes_neither_answer_nor_log(garden):
    """tutorial:P8; the mail is sent when the answer is on its way."""
    garden.member()
    garden.lose_mail_server()

    answer = garden.browser().submit(LOG_IN, action="send_link", email=EMAIL)

    assert answer.status_code == 303
    assert "could not be delivered: OSError" in garden.log
    assert EMAIL not in garden.log


@pytest.mark.cases("MAG-02")
@pytest.mark.parametrize("remember_me", [None, "true"])
def test_a_link_is_looked_at_by_get_and_used_once_by_post(garden, remember_me):
    ada = garden.member(password=None)
    secret = garden.token(ada, tokens.LOG_IN)
    browser, second = garden.browser(), garden.browser()
    browser.open(f"{LOG_IN}/{secret}")
    browser.open(f"{LOG_IN}/{secret}")
    fields = {"remember_me": remember_me} if remember_me else {}

    browser.submit(LOG_IN, token=secret, **fields)
    answer = second.submit(LOG_IN, token=secret)

    assert browser.is_signed_in
    assert browser.remembers is bool(remember_me)
    assert answer.headers["location"] == LOG_IN
    assert "isn't valid" in second.notice
    assert not second.is_signed_in


@pytest.mark.cases("MAG-02")
def test_other_log_ins_of_who_is_confirmed_stay(garden):
    ada = garden.member()
    other = garden.signed_in()

    garden.browser().submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))

    assert other.is_signed_in


@pytest.mark.cases("MAG-03")
def test_the_first_proof_of_an_address_ends_what_was_open_before(garden):
    ada = garden.member(password=None, confirmed=False)
    with garden.served() as browsers:
        devices = [browsers(), browsers()]
        for device in devices:
            secret = garden.token(ada, tokens.SESSION)
            device.cookies.set("session", garden.session_cookie(user_token=secret), "127.0.0.1")
            device.open("/")
        with devices[0].socket() as first, devices[1].socket() as second:
            owner = browsers()
            owner.submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))

            for socket in (first, second):
                assert socket.hear()["event"] == "logout"
                with pytest.raises(ConnectionClosed):
                    socket.hear()
        assert owner.is_signed_in
    assert garden.row(ada)["confirmed_at"] is not None
    assert garden.count("users_tokens") == 1


@pytest.mark.cases("MAG-05")
@pytest.mark.parametrize("minutes", [15, 16])
def test_a_link_is_good_for_a_quarter_of_an_hour(garden, minutes):
    ada = garden.member()
    secret, browser = garden.token(ada, tokens.LOG_IN), garden.browser()
    garden.clock.advance(minutes=minutes)

    browser.open(f"{LOG_IN}/{secret}")
    looked = browser.notice
    browser.submit(LOG_IN, token=secret)

    assert "isn't valid" in looked
    assert "isn't valid" in browser.notice
    assert not browser.is_signed_in


@pytest.mark.cases("MAG-05")
@pytest.mark.parametrize(
    "garbage", ["x", "A" * 43, "A" * 43 + "=", "A" * 42 + "\n", "\x00", "ä", "/", "a" * 5000]
)
def test_garbage_in_place_of_a_token_is_an_error_notice(garden, garbage):
    garden.member()
    browser = garden.browser()

    answer = browser.submit(LOG_IN, token=garbage)

    assert answer.headers["location"] == LOG_IN
    assert "isn't valid" in browser.notice


def test_a_link_does_not_let_two_people_in_where_somebody_joined_with_a_password(garden):
    """tutorial:FN-22: the password may be that of a stranger, who waits for it."""
    ada = garden.member(confirmed=False)
    before, browser = garden.row(ada), garden.browser()

    browser.submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))

    assert "isn't valid" in browser.notice
    assert garden.row(ada) == before
    browser.submit(LOG_IN, action="send_link", email=EMAIL)
    assert garden.link().startswith("/users/confirm/")


def test_without_a_password_a_recent_log_in_is_enough_for_the_settings(garden):
    ada = garden.member(password=None)
    browser = garden.browser()
    browser.submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))
    browser.open(SETTINGS)
    assert 'id="email-password"' not in browser.page

    fields = {"password": NEW, "password_confirmation": NEW}
    browser.submit(SETTINGS, action="update_password", **fields)

    assert browser.notice == "Your password is changed."
    assert garden.browser().log_in(EMAIL, NEW).status_code == 303


def test_a_link_proves_once_more_who_it_is(garden):
    ada = garden.member(password=None)
    browser = garden.browser()
    browser.submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))
    garden.clock.advance(minutes=30)
    assert browser.open(SETTINGS).headers["location"] == LOG_IN

    answer = browser.submit(LOG_IN, token=garden.token(ada, tokens.LOG_IN))

    assert answer.headers["location"] == SETTINGS
    assert browser.get(SETTINGS).status_code == 200


def test_where_passwords_log_in_no_link_does(open_garden):
    garden = open_garden()
    ada = garden.member()
    secret, browser = garden.token(ada, tokens.LOG_IN), garden.browser()

    looked = browser.open(f"{LOG_IN}/{secret}")
    browser.submit(LOG_IN, token=secret)

    assert looked.headers["location"] == LOG_IN
    assert not browser.is_signed_in


def test_an_unknown_profile_is_said_at_once():
    with pytest.raises(UnknownProfileError, match="password, magic"):
        Settings.from_environment({"GARDEN_DEV": "1", "GARDEN_PROFILE": "fingerprint"})
