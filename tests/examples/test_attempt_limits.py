"""Trying too often: one page for everybody, and a word on when to come back."""

import re

import pytest
from redis import Redis

from garden.accounts.attempt_limits import AttemptLimits, client_of
from garden.site_settings import Limit, Limits, Settings
from tests.support.gardens import PASSWORD, SECRET, Clock, alike

EMAIL = "ada@garden.example"
STRANGER = "nobody@garden.example"
WIDE = Limit(client=1000, account=1000)
NARROW = Limit(client=1000, account=2)


def limits(**changes):
    """Limits that nobody meets, besides those in question."""
    names = ("login", "mail", "registration", "password")
    return Limits(**{**dict.fromkeys(names, WIDE), **changes})


@pytest.mark.parametrize("email", [EMAIL, STRANGER])
def test_log_ins_are_limited_by_account_whether_it_exists_or_not(open_garden, email):
    """tutorial:P9"""
    garden = open_garden(limits=limits(login=NARROW))
    garden.member()
    garden.member("grace@garden.example")
    browser = garden.browser()
    for spelling in (email, f" {email.upper()} "):
        assert browser.log_in(spelling, "not the password").status_code == 422
    garden.hasher.calls = 0

    answer = browser.log_in(email)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert "Too many attempts" in answer.text
    assert email not in answer.text
    assert garden.hasher.calls == 0
    assert browser.log_in("grace@garden.example").status_code == 303
    garden.clock.advance(minutes=15)
    assert browser.log_in(email, "not the password").status_code == 422


def test_the_answer_does_not_tell_a_known_address_from_an_unknown_one(open_garden):
    garden = open_garden(limits=limits(login=Limit(client=1000, account=1), mail=NARROW))
    garden.member()
    answers = []
    for email in (EMAIL, STRANGER):
        browser = garden.browser()
        browser.log_in(email, "not the password")
        answers.append(alike(browser.log_in(email)))

    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("what", "path", "fields"),
    [
        ("login", "/users/log_in", {"password": "wrong"}),
        ("mail", "/users/reset_password", {}),
        ("mail", "/users/confirm", {}),
        ("mail", "/users/log_in", {"action": "send_link"}),
        ("registration", "/users/register", {}),
    ],
)
def test_a_client_is_limited_whatever_addresses_it_tries(open_garden, what, path, fields):
    narrow = {what: Limit(client=2, account=1000)}
    garden = open_garden(profile="magic", limits=limits(**narrow))
    browser = garden.browser()

    statuses = [
        browser.submit(path, email=f"x{number} @garden.example", **fields).status_code
        for number in range(3)
    ]

    assert 429 not in statuses[:2]
    assert statuses[2] == 429
    assert garden.mailbox.all() == []


@pytest.mark.parametrize("path", ["/users/reset_password", "/users/confirm"])
def test_nobody_is_flooded_with_mails(open_garden, path):
    garden = open_garden(limits=limits(mail=NARROW))
    garden.member(confirmed=path == "/users/reset_password")
    browser = garden.browser()

    for _ in range(4):
        browser.submit(path, email=EMAIL)

    assert len(garden.mailbox.to(EMAIL)) == 2


def test_passwords_are_not_guessed_at_the_settings(open_garden):
    garden = open_garden(limits=limits(password=NARROW))
    garden.member()
    browser = garden.signed_in()
    fields = {"action": "update_email", "email": "new@garden.example"}
    for _ in range(2):
        browser.submit("/users/settings", current_password="wrong", **fields)

    answer = browser.submit("/users/settings", current_password=PASSWORD, **fields)

    assert answer.status_code == 429
    assert garden.mailbox.all() == []


def test_passwords_are_not_guessed_at_the_closing(open_garden):
    garden = open_garden(limits=limits(password=NARROW))
    ada = garden.member()
    browser = garden.signed_in()
    browser.open("/users/settings")
    for _ in range(2):
        browser.submit("/users/settings/close", current_password="wrong", confirm="yes")

    answer = browser.submit("/users/settings/close", current_password=PASSWORD, confirm="yes")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert garden.row(ada)["deleted_at"] is None


def test_nor_by_a_message_made_by_hand(open_garden):
    garden = open_garden(limits=limits(password=NARROW))
    ada = garden.member()
    with garden.served() as browsers:
        laptop = browsers()
        laptop.log_in(EMAIL)
        with laptop.socket() as socket:
            for _ in range(2):
                socket.push("anonymize", current_password="wrong", confirm="yes")

            ack = socket.push("anonymize", current_password=PASSWORD, confirm="yes")

            assert ack["status"] == "refused"
    assert garden.row(ada)["deleted_at"] is None


def test_a_try_counts_in_its_quarter_and_no_longer():
    clock = Clock()
    tries = AttemptLimits(Settings("sqlite://", SECRET), clock)

    def wait():
        return tries.seconds_to_wait("login", Limit(client=1, account=1), account=EMAIL)

    clock.advance(minutes=10)
    waits = [wait(), wait()]
    clock.advance(seconds=299)
    waits.append(wait())
    clock.advance(seconds=1)
    waits.append(wait())

    assert waits == [None, 300, 1, None]


def test_workers_count_together_in_redis_and_addresses_are_not_read_there(redis_server):
    settings = Settings("sqlite://", SECRET, redis_url=redis_server.url)
    workers = [AttemptLimits(settings, Clock()) for _ in range(2)]

    waits = [
        worker.seconds_to_wait(
            "login", Limit(client=9, account=3), client="192.0.2.7", account=EMAIL
        )
        for worker in [*workers, *workers]
    ]

    assert waits == [None, None, None, 900]
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        held = " ".join(client.keys())
    assert held
    # A word of its own: the digits of a digest can spell it.
    assert not re.search(r"\bada\b", held)
    assert "192.0.2.7" not in held


def test_without_its_redis_the_site_goes_on(redis_server, caplog):
    tries = AttemptLimits(Settings("sqlite://", SECRET, redis_url=redis_server.url), Clock())
    redis_server.stop()

    assert tries.seconds_to_wait("login", Limit(client=1, account=1), account=EMAIL) is None
    assert "Attempts are not counted" in caplog.text
    assert EMAIL not in caplog.text


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_half_of_a_long_address_is_one_client(host, name):
    assert client_of(host) == name
