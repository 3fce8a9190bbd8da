"""Joining the garden, and proving one's address."""

import logging
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from garden.accounts import tokens
from tests.support.gardens import PASSWORD, alike

EMAIL = "ada@garden.example"


@pytest.mark.cases("REG-01")
def test_a_form_without_input_has_an_error_per_field_and_stores_nothing(garden):
    browser = garden.browser()

    answer = browser.submit("/users/register")

    assert answer.status_code == 422
    assert browser.errors == {"email": "can't be blank", "password": "can't be blank"}
    assert garden.count("users") == 0
    assert garden.mailbox.all() == []


@pytest.mark.cases("REG-01")
def test_where_links_log_in_the_form_asks_for_an_address_alone(open_garden):
    garden = open_garden(profile="magic")
    browser = garden.browser()

    answer = browser.submit("/users/register")

    assert answer.status_code == 422
    assert browser.errors == {"email": "can't be blank"}
    assert garden.count("users") == 0
    assert garden.mailbox.all() == []


FORMS = [
    {},
    {"password": PASSWORD},
    {"email": EMAIL, "password": "short"},
    {"email": EMAIL, "password": PASSWORD, "password_confirmation": "other"},
    {"email": EMAIL, "password_confirmation": PASSWORD},
    {"email": "grace@garden.example", "password": PASSWORD},
    {"email": "nobody", "name": "x" * 81},
    {"email": f"{EMAIL}\0", "password": PASSWORD},
    {"email": EMAIL, "password": "a\0" + PASSWORD},
    {"email": EMAIL, "password": PASSWORD, "password_confirmation": f"{PASSWORD}\0"},
]
# A field's error, or the heading of an error page.
REASON = re.compile(r'<span class="field-error"[^>]*>[^<]+</span>|<p class="status">422</p>')


@pytest.mark.parametrize("profile", ["password", "magic"])
@pytest.mark.parametrize("fields", FORMS)
def test_a_registration_that_is_refused_shows_why(open_garden, profile, fields):
    garden = open_garden(profile=profile)
    garden.member("grace@garden.example")
    browser = garden.browser()

    answer = browser.submit("/users/register", **fields)

    is_refused = answer.status_code == 422
    assert is_refused or answer.status_code == 303
    assert bool(REASON.search(answer.text)) == is_refused
    assert garden.count("users") == (1 if is_refused else 2)


@pytest.mark.parametrize("again", [PASSWORD, "other", ""])
def test_where_links_log_in_passwords_in_the_form_are_ignored(open_garden, again):
    """The form has no field that could show what is wrong with them."""
    garden = open_garden(profile="magic")
    browser = garden.browser()
    fields = {"password": PASSWORD, "password_confirmation": again}

    answer = browser.submit("/users/register", email=EMAIL, **fields)

    assert (answer.status_code, answer.headers["location"]) == (303, "/users/log_in")
    assert garden.rows("SELECT hashed_password FROM users") == [{"hashed_password": None}]


@pytest.mark.cases("REG-02")
@pytest.mark.parametrize("email", ["nobody", "a@b c", "a,b@c", "a@b;c", "@", "a@", "a@b@c"])
def test_format_and_length_are_told_and_the_password_is_not_echoed(garden, email):
    browser = garden.browser()

    answer = browser.submit("/users/register", email=email, password="elevenchars")

    assert answer.status_code == 422
    assert browser.errors == {
        "email": "must have the @ sign and no spaces",
        "password": "should be at least 12 characters",
    }
    assert "elevenchars" not in browser.page


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"email": f"{'a' * 155}@b.com"}, {"email": "should be at most 160 characters"}),
        ({"password": "x" * 73}, {"password": "should be at most 72 characters"}),
        (
            {"password_confirmation": "other"},
            {"password_confirmation": "doesn't match the password"},
        ),
        ({"name": "x" * 81}, {"name": "should be at most 80 characters"}),
        ({"email": "a@users.invalid"}, {"email": "can't receive email"}),
        ({"email": "a@USERS.INVALID."}, {"email": "can't receive email"}),
    ],
)
def test_what_else_a_form_may_not_say(garden, fields, error):
    browser = garden.browser()

    browser.submit("/users/register", **{"email": EMAIL, "password": PASSWORD, **fields})

    assert browser.errors == error
    assert garden.count("users") == 0


@pytest.mark.cases("REG-04")
@pytest.mark.parametrize("again", [EMAIL, EMAIL.upper(), f" {EMAIL} "])
def test_an_address_is_taken_once_whatever_its_case(garden, again):
    garden.member(EMAIL)
    browser = garden.browser()

    browser.submit("/users/register", email=again, password=PASSWORD)

    assert browser.errors == {"email": "has already been taken"}
    assert garden.count("users") == 1


@pytest.mark.cases("REG-05")
def test_of_two_who_register_one_address_at_once_one_gets_the_field_error(garden):
    """Both have looked and found the address free; the index decides."""
    browsers = [garden.browser(), garden.browser()]

    def register(browser):
        return browser.submit("/users/register", email=EMAIL, password=PASSWORD)

    with garden.looking_together(2), ThreadPoolExecutor(2) as both:
        answers = list(both.map(register, browsers))

    assert sorted(answer.status_code for answer in answers) == [303, 422]
    errors = [browser.errors for browser in browsers]
    assert sorted(errors, key=len) == [{}, {"email": "has already been taken"}]
    assert garden.count("users") == 1
    assert [mail.to for mail in garden.mailbox.all()] == [EMAIL]


@pytest.mark.cases("REG-06")
def test_a_password_is_kept_as_a_hash_alone(open_garden):
    garden = open_garden(log_level=logging.DEBUG)

    user, values, shown = garden.registered(email=EMAIL, password=PASSWORD)

    # Django writes the name of the hasher in front.
    assert garden.row(user)["hashed_password"].removeprefix("argon2").startswith("$argon2id$")
    assert EMAIL in values
    assert PASSWORD not in f"{values} {shown} {garden.log}"
    assert EMAIL not in shown


@pytest.mark.cases("REG-08")
def test_a_member_is_led_away_from_the_form(garden):
    garden.member()

    answer = garden.signed_in().open("/users/register")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


def test_who_registers_is_logged_in_and_gets_a_mail(garden):
    browser = garden.browser()

    browser.submit("/users/register", email=EMAIL, password=PASSWORD, name="Ada Lovelace")

    assert "Ada Lovelace" in browser.page
    assert browser.is_signed_in
    assert garden.link().startswith("/users/confirm/")


# ---------------------------------------------------------------- confirmation


@pytest.mark.cases("CNF-01")
def test_instructions_are_one_mail_and_a_row_with_a_hash(garden):
    garden.member(confirmed=False)

    garden.browser().submit("/users/confirm", email=EMAIL)

    secret = garden.link().rsplit("/", 1)[1]
    (row,) = garden.rows("SELECT * FROM users_tokens")
    assert len(garden.mailbox.all()) == 1
    assert row["token"] == tokens.hash_secret(secret)
    assert (row["context"], row["sent_to"]) == ("confirm", EMAIL)


@pytest.mark.cases("CNF-02")
def test_a_confirmed_address_gets_no_mail_and_the_answer_of_an_unknown_one(garden):
    garden.member()
    browser, stranger = garden.browser(), garden.browser()

    answer = browser.submit("/users/confirm", email=EMAIL)
    same = stranger.submit("/users/confirm", email="nobody@garden.example")

    assert alike(answer) == alike(same)
    assert browser.notice == stranger.notice
    assert garden.count("users_tokens") == 0
    assert garden.mailbox.all() == []


@pytest.mark.cases("CNF-03")
def test_opening_the_link_changes_nothing_and_posting_confirms(garden):
    ada = garden.member(confirmed=False)
    links = [f"/users/confirm/{garden.token(ada, 'confirm')}" for _ in range(2)]
    browser = garden.browser()

    browser.open(links[0])
    looked_at = garden.row(ada)["confirmed_at"]
    answer = browser.submit(links[0], password=PASSWORD)

    assert looked_at is None
    assert answer.status_code == 303
    assert garden.row(ada)["confirmed_at"] is not None
    assert garden.count("users_tokens") == 0
    assert not browser.is_signed_in


@pytest.mark.cases("CNF-04")
def test_a_used_link_is_an_error_for_strangers_and_none_for_who_is_confirmed(garden):
    ada = garden.member(confirmed=False)
    link = f"/users/confirm/{garden.token(ada, 'confirm')}"
    member, stranger = garden.signed_in(), garden.browser()
    member.submit(link)

    stranger.submit(link)
    answer = member.submit(link)

    assert "isn't valid" in stranger.notice
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert member.notice == ""
    assert member.is_signed_in


@pytest.mark.cases("CNF-05")
@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_link_is_good_for_seven_days_and_not_a_second_longer(garden, seconds):
    ada = garden.member(confirmed=False)
    link = f"/users/confirm/{garden.token(ada, 'confirm')}"
    garden.clock.advance(days=7, seconds=seconds)
    browser = garden.browser()

    answer = browser.submit(link)

    assert answer.status_code == 303
    assert ("isn't valid" in browser.notice) == (seconds == 0)
    assert (garden.row(ada)["confirmed_at"] is not None) == (seconds < 0)


@pytest.mark.cases("CNF-05", "MAG-05")
@pytest.mark.parametrize("garbage", ["x", "A" * 43, "A" * 43 + "=", "%00", "%0A", "ä", "a" * 5000])
def test_garbage_in_place_of_a_link_is_an_error_notice(garden, garbage):
    browser = garden.browser()

    assert browser.open(f"/users/confirm/{garbage}").status_code == 200
    answer = browser.submit(f"/users/confirm/{garbage}")

    assert answer.status_code == 303
    assert "isn't valid" in browser.notice


def test_a_changed_address_makes_older_links_worthless(garden):
    """tutorial:DM-16"""
    ada = garden.member(confirmed=False)
    link = f"/users/confirm/{garden.token(ada, 'confirm', sent_to='old@garden.example')}"

    garden.browser().submit(link)

    assert garden.row(ada)["confirmed_at"] is None


def test_a_password_planted_before_the_address_was_proven_is_worth_nothing_after(garden):
    """tutorial:P6: a stranger joins with Ada's address, and she confirms it."""
    ada = garden.member(confirmed=False)
    stranger, owner = garden.signed_in(remember_me="true"), garden.browser()
    others = garden.token(ada, tokens.RESET_PASSWORD)

    owner.submit(f"/users/confirm/{garden.token(ada, 'confirm')}")

    assert "set a password of your own" in owner.notice
    assert garden.row(ada)["confirmed_at"] is not None
    assert garden.row(ada)["hashed_password"] is None
    assert garden.count("users_tokens") == 0
    assert not stranger.is_signed_in
    assert stranger.log_in(EMAIL).status_code == 422
    assert owner.open(f"/users/reset_password/{others}").status_code == 303


@pytest.mark.cases("CNF-03")
def test_whoever_is_logged_in_with_the_password_keeps_it(garden):
    """tutorial:P6"""
    ada = garden.member(confirmed=False)
    owner, elsewhere = garden.signed_in(), garden.signed_in()
    garden.token(ada, tokens.CONFIRM)

    owner.submit(f"/users/confirm/{garden.token(ada, tokens.CONFIRM)}")

    assert owner.notice == "Your email address is confirmed."
    assert garden.rows("SELECT context FROM users_tokens") == [{"context": "session"}] * 2
    assert owner.is_signed_in
    assert elsewhere.is_signed_in
    assert garden.browser().log_in(EMAIL).status_code == 303


def test_somebody_else_who_is_logged_in_is_not_the_owner_of_the_password(garden):
    ada = garden.member(confirmed=False)
    garden.member("grace@garden.example")
    grace = garden.signed_in("grace@garden.example")

    grace.submit(f"/users/confirm/{garden.token(ada, 'confirm')}")

    assert garden.row(ada)["hashed_password"] is None
    assert grace.is_signed_in
