"""Changing one's address and password."""

from html import unescape

import pytest
from websockets.exceptions import ConnectionClosed

from garden.accounts import tokens
from tests.support.gardens import PASSWORD

EMAIL, NEW_EMAIL = "ada@garden.example", "countess@garden.example"
NEW = "sweet corn and squash"
PATH = "/users/settings"


@pytest.fixture
def ada(garden):
    return garden.member()


@pytest.fixture
def browser(garden, ada):
    browser = garden.signed_in()
    browser.open(PATH)
    return browser


@pytest.mark.cases("SET-01")
def test_strangers_log_in_first_and_come_back(garden, ada):
    browser = garden.browser()

    answer = browser.open(PATH)

    assert answer.headers["location"] == "/users/log_in"
    assert "Log in to see" in browser.notice
    assert browser.log_in(EMAIL).headers["location"] == PATH


@pytest.mark.cases("SET-02")
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_new_address_is_mailed_and_nothing_changes_before_the_link(garden, ada, browser, method):
    fields = {"action": "update_email", "email": NEW_EMAIL, "current_password": PASSWORD}

    answer = browser.submit(PATH, method=method, **fields)

    assert answer.headers["location"] == PATH
    assert NEW_EMAIL in browser.notice
    assert [mail.to for mail in garden.mailbox.all()] == [NEW_EMAIL, EMAIL]
    assert NEW_EMAIL not in garden.mailbox.to(EMAIL)[0].text
    assert garden.row(ada)["email"] == EMAIL
    contexts = garden.rows("SELECT context, sent_to FROM users_tokens WHERE sent_to IS NOT NULL")
    assert contexts == [{"context": "change_email", "sent_to": NEW_EMAIL}]


@pytest.mark.cases("SET-02")
def test_without_a_password_a_recent_log_in_is_enough_for_a_new_address(open_garden):
    garden = open_garden(profile="magic")
    ada, browser = garden.member(password=None), garden.browser()
    browser.submit("/users/log_in", token=garden.token(ada, tokens.LOG_IN))
    browser.open(PATH)

    answer = browser.submit(PATH, action="update_email", email=NEW_EMAIL)

    assert answer.headers["location"] == PATH
    assert NEW_EMAIL in browser.notice
    assert [mail.to for mail in garden.mailbox.all()] == [NEW_EMAIL, EMAIL]
    assert garden.row(ada)["email"] == EMAIL
    browser.open(garden.link(NEW_EMAIL))
    assert garden.row(ada)["email"] == NEW_EMAIL


@pytest.mark.cases("SET-03")
@pytest.mark.parametrize(
    ("email", "password", "errors"),
    [
        (EMAIL, PASSWORD, {"email": "did not change"}),
        ("nonsense", PASSWORD, {"email": "must have the @ sign and no spaces"}),
        ("", PASSWORD, {"email": "can't be blank"}),
        ("GRACE@garden.example", PASSWORD, {"email": "has already been taken"}),
        ("a@users.invalid", PASSWORD, {"email": "can't receive email"}),
        (NEW_EMAIL, "wrong", {"email-password": "is incorrect"}),
        (NEW_EMAIL, "", {"email-password": "is incorrect"}),
    ],
)
def test_what_is_wrong_stands_beside_its_field(garden, browser, email, password, errors):
    garden.member("grace@garden.example")
    before = garden.everything()

    answer = browser.submit(PATH, action="update_email", email=email, current_password=password)

    assert answer.status_code == 422
    assert browser.errors == errors
    assert garden.mailbox.all() == []
    assert garden.everything() == before


@pytest.fixture
def link(garden, ada):
    return f"{PATH}/confirm_email/{garden.token(ada, 'change_email', NEW_EMAIL)}"


@pytest.mark.cases("SET-04")
def test_the_link_changes_the_address_once(garden, ada, browser, link):
    garden.token(ada, "change_email", "third@garden.example")

    browser.open(f"{link}?email=other@garden.example")
    first = browser.notice
    browser.open(link)

    assert first == "Your email address is changed."
    assert [mail.subject for mail in garden.mailbox.to(EMAIL)] == ["Your email address was changed"]
    assert "isn't valid" in browser.notice
    assert garden.row(ada)["email"] == NEW_EMAIL
    assert garden.rows("SELECT * FROM users_tokens WHERE context = 'change_email'") == []
    assert browser.is_signed_in


@pytest.mark.cases("SET-04")
def test_an_address_that_was_taken_meanwhile_is_not_changed_to(garden, ada, browser, link):
    garden.member(NEW_EMAIL.upper())

    browser.open(link)

    assert "isn't valid" in browser.notice
    assert garden.row(ada)["email"] == EMAIL


def test_the_link_is_good_for_a_day(garden, ada, browser, link):
    """tutorial:DF-6"""
    garden.clock.advance(days=1)

    browser.open(link)

    assert garden.row(ada)["email"] == EMAIL


@pytest.mark.cases("SET-05")
def test_the_link_is_worth_nothing_to_anybody_else(garden, ada, link):
    """tutorial:G14"""
    garden.member("grace@garden.example")
    stranger, grace = garden.browser(), garden.signed_in("grace@garden.example")
    before = garden.everything()

    answer = stranger.open(link)
    grace.open(link)

    assert answer.headers["location"] == "/users/log_in"
    assert "isn't valid" in grace.notice
    assert garden.everything() == before


@pytest.mark.cases("SET-07")
def test_a_new_password_logs_out_every_other_browser(garden, ada, browser):
    other, before = garden.signed_in(remember_me="true"), browser.copy()
    fields = {"password": NEW, "password_confirmation": NEW, "current_password": PASSWORD}

    answer = browser.submit(PATH, action="update_password", **fields)

    assert answer.headers["location"] == PATH
    assert browser.is_signed_in
    assert not before.is_signed_in
    assert not other.is_signed_in
    assert not other.remembers
    assert garden.count("users_tokens") == 1
    assert garden.browser().log_in(EMAIL, NEW).status_code == 303
    assert [mail.subject for mail in garden.mailbox.to(EMAIL)] == ["Your password was changed"]


@pytest.mark.cases("SET-07")
def test_the_acting_browser_is_remembered_as_before(garden, ada):
    """tutorial:WB-06"""
    browser = garden.signed_in(remember_me="true")
    fields = {"password": NEW, "password_confirmation": NEW, "current_password": PASSWORD}

    browser.submit(PATH, action="update_password", **fields)

    del browser.cookies["session"]
    assert browser.is_signed_in


@pytest.mark.cases("SET-07")
def test_sockets_end_with_the_tokens_they_were_opened_with(garden, ada):
    with garden.served() as browser:
        laptop, phone = browser(), browser()
        laptop.log_in(EMAIL)
        phone.log_in(EMAIL)
        with phone.socket() as socket:
            fields = {"password": NEW, "password_confirmation": NEW, "current_password": PASSWORD}
            laptop.submit(PATH, action="update_password", **fields)

            assert socket.hear()["event"] == "logout"
            with pytest.raises(ConnectionClosed):
                socket.hear()
        assert laptop.is_signed_in


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"password": "short"}, {"password": "should be at least 12 characters"}),
        (
            {"password_confirmation": "other"},
            {"password_confirmation": "doesn't match the password"},
        ),
        ({"current_password": "wrong"}, {"current_password": "is incorrect"}),
    ],
)
def test_a_password_that_is_not_accepted_drops_nothing(garden, browser, fields, errors):
    good = {"password": NEW, "current_password": PASSWORD}
    before = garden.everything()

    answer = (
        browser.submit(PATH, action="update_password", **good)
        if not fields
        else (browser.submit(PATH, **{"action": "update_password", **good, **fields}))
    )

    assert answer.status_code == 422
    assert browser.errors == errors
    assert garden.everything() == before
    assert browser.is_signed_in


@pytest.mark.parametrize("action", ["", "update_name"])
def test_a_form_that_says_nothing_known_is_a_human_page(garden, browser, action):
    before = garden.everything()

    answer = browser.submit(PATH, action=action)

    assert answer.status_code == 422
    assert "couldn't read" in unescape(browser.page)
    assert garden.everything() == before
