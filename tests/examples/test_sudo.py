"""How long a log-in is good for, and for what: settings ask again, tokens give way to new ones."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from garden.accounts import tokens
from garden.accounts.token_secrets import REMEMBER_ME
from garden.models import UserToken
from tests.support.gardens import PASSWORD

EMAIL = "ada@garden.example"
SETTINGS = "/users/settings"
NEW = "sweet corn and squash"
POST = {"title": "Beans", "body": "They are up."}


@pytest.fixture
def ada(garden):
    return garden.member()


@pytest.fixture
def browser(garden, ada):
    return garden.signed_in()


def log_ins(garden):
    """The log-ins in the database, the oldest first."""
    query = "SELECT * FROM users_tokens WHERE context = 'session' ORDER BY id"
    return garden.rows(query)


# ---------------------------------------------------------------- sudo


@pytest.mark.cases("SUD-01")
def test_the_settings_open_for_ten_minutes_and_then_one_logs_in_once_more(garden, browser):
    garden.clock.advance(minutes=9)
    in_time = browser.open(SETTINGS)
    garden.clock.advance(minutes=2)
    late = browser.open(f"{SETTINGS}?tab=email")

    assert in_time.status_code == 200
    assert late.headers["location"] == "/users/log_in"
    assert f'value="{EMAIL}"' in browser.page
    assert " readonly" in browser.page
    assert "Register</a>." not in browser.page
    back = browser.submit("/users/log_in", email=EMAIL, password=PASSWORD)
    assert back.headers["location"] == f"{SETTINGS}?tab=email"
    assert browser.get(SETTINGS).status_code == 200


@pytest.mark.cases("SUD-01")
def test_ten_minutes_to_the_second_are_too_many(garden, browser):
    garden.clock.advance(minutes=10)

    assert browser.get(SETTINGS).status_code == 303


UPDATE_EMAIL = {"action": "update_email", "email": "countess@garden.example"}
UPDATE_PASSWORD = {"action": "update_password", "password": NEW, "password_confirmation": NEW}


@pytest.mark.cases("SUD-02")
@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        (UPDATE_EMAIL, 303, ["countess@garden.example", EMAIL]),
        (UPDATE_PASSWORD, 303, [EMAIL]),
        ({"action": "nothing known"}, 422, []),
    ],
)
def test_a_form_that_was_opened_in_time_may_be_sent_a_little_later(
    garden, browser, fields, status, told
):
    browser.open(SETTINGS)
    garden.clock.advance(minutes=19)

    answer = browser.submit(SETTINGS, current_password=PASSWORD, **fields)

    assert (answer.status_code, answer.headers.get("location", SETTINGS)) == (status, SETTINGS)
    assert [mail.to for mail in garden.mailbox.all()] == told
    password = fields.get("password", PASSWORD)
    assert garden.browser().log_in(EMAIL, password).status_code == 303


@pytest.mark.cases("SUD-02")
@pytest.mark.parametrize("minutes", [20, 21])
@pytest.mark.parametrize("fields", [UPDATE_EMAIL, UPDATE_PASSWORD, {"action": "nothing known"}])
def test_a_form_that_is_sent_much_later_asks_for_another_log_in(garden, browser, minutes, fields):
    browser.open(SETTINGS)
    before = garden.everything()
    garden.clock.advance(minutes=minutes)

    answer = browser.submit(SETTINGS, current_password=PASSWORD, **fields)

    assert answer.headers["location"] == "/users/log_in"
    assert "Log in again" in browser.notice
    assert garden.everything() == before
    assert garden.mailbox.all() == []
    again = browser.submit("/users/log_in", email=EMAIL, password=PASSWORD)
    assert again.headers["location"] == SETTINGS


@pytest.mark.cases("SUD-02", "CLO-10")
@pytest.mark.parametrize(("minutes", "status"), [(19, "ok"), (20, "refused"), (21, "refused")])
def test_without_a_password_a_socket_closes_the_account_as_long_as_a_form_does(
    open_garden, minutes, status
):
    garden = open_garden(profile="magic")
    ada = garden.member(password=None)
    with garden.served() as browsers:
        laptop = browsers()
        laptop.submit("/users/log_in", token=garden.token(ada, tokens.LOG_IN))
        laptop.open(SETTINGS)
        with laptop.socket() as socket:
            garden.clock.advance(minutes=minutes)

            assert socket.push("anonymize", confirm="yes")["status"] == status
    assert (garden.row(ada)["deleted_at"] is not None) == (status == "ok")


@pytest.mark.cases("SUD-02", "CLO-10")
def test_without_a_password_a_stale_form_is_refused_and_closes_nothing(open_garden):
    garden = open_garden(profile="magic")
    ada = garden.member(password=None)
    browser = garden.browser()
    browser.submit("/users/log_in", token=garden.token(ada, tokens.LOG_IN))
    browser.open(SETTINGS)
    garden.clock.advance(minutes=21)
    before = garden.everything()

    answer = browser.submit(f"{SETTINGS}/close", confirm="yes")

    assert answer.status_code == 403
    assert "Log in again" in browser.page
    assert garden.everything() == before
    assert browser.is_signed_in


@pytest.mark.cases("SUD-04")
def test_the_same_person_keeps_the_session_and_the_pages_that_are_open(garden, browser):
    browser.open(SETTINGS)
    stale, old_token = browser.copy(), browser.token
    garden.clock.advance(minutes=30)

    browser.log_in(EMAIL)

    assert browser.post("/posts", data={"_csrf_token": old_token, **POST}).status_code == 303
    assert browser.get(SETTINGS).status_code == 200
    # Who has only the old cookie has gained nothing, and soon has nothing.
    assert stale.copy().get(SETTINGS).status_code == 303
    garden.clock.advance(seconds=60)
    assert not stale.is_signed_in
    assert browser.is_signed_in


@pytest.mark.cases("SUD-04")
def test_a_wrong_password_leaves_everything_as_it_was(garden, browser):
    garden.clock.advance(minutes=30)
    before = garden.everything()

    answer = browser.log_in("somebody@garden.example", "not the password")

    assert answer.status_code == 422
    assert f'value="{EMAIL}"' in browser.page
    assert garden.everything() == before
    assert browser.is_signed_in


@pytest.mark.cases("SUD-04")
def test_a_different_person_starts_afresh(garden, browser, ada):
    garden.member("grace@garden.example", name="Grace Hopper")
    browser.open("/")
    as_ada, old_token = browser.copy(), browser.token

    answer = browser.log_in("grace@garden.example")

    assert answer.headers["location"] == "/"
    assert "Grace Hopper" in browser.page
    assert browser.post("/posts", data={"_csrf_token": old_token, **POST}).status_code == 403
    assert not as_ada.is_signed_in
    assert [row["user_id"] for row in log_ins(garden)] != [ada]


@pytest.mark.cases("SUD-04")
def test_sockets_of_pages_that_are_open_stay_open(garden, ada):
    with garden.served() as browsers:
        laptop = browsers()
        laptop.log_in(EMAIL)
        with laptop.socket() as socket:
            assert socket.push("no such event")["status"] == "error"
            laptop.log_in(EMAIL)
            garden.clock.advance(seconds=61)

            assert socket.push("no such event")["status"] == "error"
            laptop.submit("/users/log_out", _method="delete")
            assert socket.hear()["event"] == "logout"


# ---------------------------------------------------------------- tokens give way


@pytest.mark.cases("LOG-11")
def test_a_token_of_ten_days_is_replaced_and_everything_else_stays(garden, ada):
    browser = garden.signed_in(remember_me="true")
    browser.open("/")
    old, old_token, (before,) = browser.copy(), browser.token, log_ins(garden)
    garden.clock.advance(days=10)

    browser.get("/")

    replaced, new = log_ins(garden)
    assert replaced["replaced_at"] is not None
    assert (new["authenticated_at"], new["browser_id"]) == (
        before["authenticated_at"],
        before["browser_id"],
    )
    assert browser.cookies[REMEMBER_ME] != old.cookies[REMEMBER_ME]
    assert browser.post("/posts", data={"_csrf_token": old_token, **POST}).status_code == 303
    assert browser.get(SETTINGS).status_code == 303, "it is no new proof of who they are"
    garden.clock.advance(seconds=60)
    assert not old.is_signed_in
    assert browser.is_signed_in
    del browser.cookies["session"]
    assert browser.is_signed_in


@pytest.mark.cases("LOG-11")
def test_a_token_of_ten_days_is_replaced_where_the_remember_me_cookie_is_all_there_is(garden, ada):
    browser = garden.signed_in(remember_me="true")
    del browser.cookies["session"]
    old, (before,) = browser.copy(), log_ins(garden)
    garden.clock.advance(days=10)

    browser.open("/")

    replaced, new = log_ins(garden)
    assert replaced["replaced_at"] is not None
    assert new["authenticated_at"] == before["authenticated_at"]
    assert browser.cookies[REMEMBER_ME] != old.cookies[REMEMBER_ME]
    assert browser.submit("/posts", **POST).headers["location"] == "/#board"
    assert browser.get(SETTINGS).status_code == 303, "it is no new proof of who they are"
    garden.clock.advance(seconds=60)
    assert not old.is_signed_in
    del browser.cookies["session"]
    assert browser.is_signed_in


@pytest.mark.cases("LOG-11")
def test_a_token_is_left_alone_before_its_seventh_day(garden, browser):
    garden.clock.advance(days=6, hours=23)

    browser.get("/")

    assert len(log_ins(garden)) == 1


@pytest.mark.cases("LOG-11")
def test_whoever_is_not_remembered_is_not_remembered_after(garden, browser):
    garden.clock.advance(days=8)

    browser.get("/")

    assert not browser.remembers
    assert browser.is_signed_in


@pytest.mark.cases("LOG-11")
def test_of_requests_at_the_same_moment_one_gets_the_new_token_and_all_an_answer(garden, browser):
    garden.clock.advance(days=8)
    at_once = [browser.copy() for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: one.is_signed_in, at_once))

    assert answers == [True] * 6
    assert len(log_ins(garden)) == 2
    garden.clock.advance(seconds=61)
    assert [one.is_signed_in for one in at_once].count(True) == 1


@pytest.mark.cases("LOG-11", "LOG-13")
def test_logging_out_ends_what_a_browser_held_before_as_well(garden, browser):
    old = browser.copy()
    other = garden.signed_in()
    garden.clock.advance(days=8)
    browser.get("/")

    browser.submit("/users/log_out", _method="delete")

    assert not old.is_signed_in
    assert other.is_signed_in


# ---------------------------------------------------------------- answers that come late


@pytest.mark.cases("LOG-11", "SUD-04")
@pytest.mark.parametrize(
    ("advance", "replace"),
    [
        ({"days": 8}, lambda tab: tab.get("/")),
        ({"minutes": 30}, lambda tab: tab.log_in(EMAIL)),
    ],
    ids=["renewed", "proved once more"],
)
def test_an_answer_that_comes_late_does_not_bring_the_old_token_back(
    garden, browser, advance, replace
):
    browser.open("/")
    slow_tab = browser.copy()
    garden.clock.advance(**advance)
    replace(browser)
    proved = browser.get(SETTINGS).status_code

    answer = slow_tab.submit("/posts", **POST)
    browser.cookies.extract_cookies(answer)

    assert (answer.status_code, garden.count("posts")) == (303, 1)
    garden.clock.advance(seconds=61)
    assert browser.is_signed_in
    assert browser.get(SETTINGS).status_code == proved


@pytest.mark.cases("LOG-11", "SUD-04")
def test_neither_does_one_that_was_asked_for_before_the_token_was_replaced(garden, browser):
    browser.open("/")
    slow_tab = browser.copy()

    def replace(connection, begin):
        connection.execute(text("UPDATE users SET name = name"))
        begin()
        connection.execute(update(UserToken).values(replaced_at=garden.clock()))

    (answer,) = garden.during(replace, lambda: slow_tab.submit("/posts", **POST))

    assert (answer.status_code, garden.count("posts")) == (303, 1)
    assert "session" not in answer.cookies


@pytest.mark.cases("LOG-11", "LOG-13")
def test_who_logs_out_in_a_tab_with_the_old_token_is_logged_out(garden, browser):
    slow_tab = browser.copy()
    garden.clock.advance(days=8)
    browser.get("/")

    answer = slow_tab.submit("/users/log_out", _method="delete")
    browser.cookies.extract_cookies(answer)

    assert "logged out" in slow_tab.notice
    assert not browser.is_signed_in


# ---------------------------------------------------------------- and go


def test_expired_tokens_are_purged_and_no_others(garden, ada):
    """tutorial:P10"""
    for context in ("session", "confirm", "change_email", "reset_password"):
        garden.token(ada, context)
    garden.clock.advance(minutes=59)
    garden.token(ada, tokens.RESET_PASSWORD)

    kept = {}
    for advance in ({"minutes": 2}, {"days": 1}, {"days": 6}, {"days": 7}):
        garden.clock.advance(**advance)
        garden.purge()
        kept[str(advance)] = [row["context"] for row in log_ins_and_links(garden)]

    assert list(kept.values()) == [
        ["session", "confirm", "change_email", "reset_password"],
        ["session", "confirm"],
        ["session"],
        [],
    ]


@pytest.mark.fastapi("on Django a command does it, which cron starts")
def test_the_application_purges_when_it_starts(garden, ada):
    garden.token(ada, tokens.RESET_PASSWORD)
    garden.clock.advance(hours=1)

    with garden.served() as browsers:
        browsers().open("/")
    assert garden.count("users_tokens") == 0


def log_ins_and_links(garden):
    return garden.rows("SELECT context FROM users_tokens ORDER BY id")
