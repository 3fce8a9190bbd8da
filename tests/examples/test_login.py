"""Logging in and out, and what the cookies are worth."""

import re
import secrets
from html import unescape

import pytest
from websockets.exceptions import ConnectionClosed

from garden.accounts import tokens
from garden.accounts.token_secrets import REMEMBER_ME
from tests.support.gardens import PASSWORD, alike

EMAIL = "ada@garden.example"


@pytest.mark.cases("LOG-01")
def test_right_credentials_make_a_session_and_drop_the_one_before(garden):
    garden.member()
    browser = garden.browser()
    planted = garden.session_cookie(planted=secrets.token_urlsafe(1500))
    browser.cookies.set("session", planted, domain="garden.test")
    browser.open("/users/settings")
    before = browser.cookies["session"]

    answer = browser.log_in(EMAIL.upper())

    assert answer.headers["location"] == "/users/settings"
    assert garden.rows("SELECT context, sent_to FROM users_tokens") == [
        {"context": "session", "sent_to": None}
    ]
    # What was planted cannot be packed into less.
    assert len(before) > 1500 > len(browser.cookies["session"])
    assert browser.is_signed_in


@pytest.mark.cases("LOG-01", "LOG-02", "RST-01")
def test_an_address_is_found_as_it_was_written_whatever_its_letters(garden):
    """Databases do not agree which capitals there are, so the same one compares both sides."""
    written = "Äda@garden.example"
    garden.member(written)
    browser = garden.browser()

    browser.submit("/users/reset_password", email=written)
    browser.log_in(written)

    assert [mail.to for mail in garden.mailbox.all()] == [written]
    assert browser.is_signed_in


@pytest.mark.cases("LOG-02")
@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody@garden.example", PASSWORD),
        (EMAIL, "not her password"),
        (EMAIL, ""),
        (EMAIL, "x" * 5000),
        ("linked@garden.example", PASSWORD),
        ("linked@garden.example", ""),
    ],
)
def test_whatever_is_wrong_the_answer_is_one(garden, email, password):
    garden.member()
    linked = garden.member("linked@garden.example")
    garden.execute("UPDATE users SET hashed_password = NULL WHERE id = :id", id=linked)
    browser, stranger = garden.browser(), garden.browser()
    nobody = "x" * email.index("@") + "@garden.example"

    answer = browser.log_in(email, password)
    same = stranger.log_in(nobody, PASSWORD)

    assert answer.status_code == 422
    assert alike(answer) == alike(same)
    assert browser.notice == "The email or password is incorrect."
    assert f'value="{email}"' in browser.page
    assert password not in browser.page or password == ""
    assert not browser.is_signed_in


@pytest.mark.cases("LOG-03")
@pytest.mark.parametrize("email", [EMAIL, "nobody@garden.example"])
def test_each_try_costs_one_hash_whether_the_address_is_known_or_not(garden, email):
    garden.member()
    garden.hasher.calls = 0
    browser = garden.browser()

    for _ in range(20):
        browser.log_in(email, "not the password")

    assert garden.hasher.calls == 20


@pytest.mark.cases("LOG-04")
def test_a_session_planted_before_the_log_in_is_worth_nothing_after(garden):
    garden.member()
    victim = garden.browser()
    victim.open("/users/log_in")
    attacker, old_token = victim.copy(), victim.token

    victim.log_in(EMAIL)

    assert not attacker.is_signed_in
    stale = victim.post("/posts", data={"_csrf_token": old_token, "title": "a", "body": "b"})
    assert stale.status_code == 403
    assert garden.count("posts") == 0


@pytest.mark.cases("LOG-05")
@pytest.mark.parametrize("dev", [True, False])
def test_remember_me_is_a_signed_cookie_with_every_attribute(open_garden, dev):
    garden = open_garden(dev=dev)
    browser = garden.browser("https://garden.test")
    garden.member()

    answer = browser.log_in(EMAIL, remember_me="true")

    (cookie,) = cookies_in(answer, REMEMBER_ME)
    assert "Max-Age=1209600" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ("Secure" in cookie) is not dev
    assert re.match(r'[^=]+="?[\w-]{43}[.:][\w-]+[.:][\w-]+"?;', cookie), "signed, with a time"
    (session,) = cookies_in(answer, "session")
    assert ("secure" in session.lower()) is not dev
    assert "Max-Age" not in session


@pytest.mark.cases("LOG-05")
@pytest.mark.parametrize("fields", [{}, {"remember_me": "false"}, {"remember_me": "1"}])
def test_without_the_flag_nothing_is_remembered(garden, fields):
    garden.member()

    assert not garden.signed_in(**fields).remembers


@pytest.mark.cases("LOG-06")
def test_the_remember_me_cookie_alone_logs_in_and_fills_the_session(garden):
    garden.member()
    browser = garden.signed_in(remember_me="true")
    del browser.cookies["session"]

    assert browser.is_signed_in

    del browser.cookies[REMEMBER_ME]
    assert browser.is_signed_in


def other_first(text):
    """Change the first character: some bits of the last one mean nothing."""
    return ("B" if text[0] == "A" else "A") + text[1:]


def without_signature(text):
    return text[:43]


def other_signature(text):
    return text[:-20] + other_first(text[-20:])


@pytest.mark.cases("LOG-05", "LOG-06")
@pytest.mark.parametrize(
    "change",
    [other_first, without_signature, other_signature, lambda _: "x", lambda _: "a.b.c"],
)
def test_an_altered_remember_me_cookie_is_thrown_away(garden, change):
    garden.member()
    browser = garden.signed_in(remember_me="true")
    altered = change(browser.cookies[REMEMBER_ME])
    browser.cookies.clear()
    browser.cookies.set(REMEMBER_ME, altered, domain="garden.test")

    answer = browser.get("/")

    assert not browser.is_signed_in
    assert "Max-Age=0" in cookies_in(answer, REMEMBER_ME)[0]


@pytest.mark.cases("LOG-08")
def test_one_is_led_back_with_the_query_and_only_once(garden):
    garden.member()
    browser = garden.browser()
    browser.open("/users/settings?tab=email&x=%2F")

    first = browser.log_in(EMAIL)
    browser.submit("/users/log_out", _method="delete")
    second = browser.log_in(EMAIL)

    assert first.headers["location"] == "/users/settings?tab=email&x=%2F"
    assert second.headers["location"] == "/"


@pytest.mark.cases("LOG-08")
def test_a_post_does_not_replace_where_one_wanted_to_go(garden):
    """tutorial:WB-10"""
    garden.member()
    browser = garden.browser()
    browser.open("/users/settings")

    browser.submit("/posts", title="a", body="b")

    assert browser.log_in(EMAIL).headers["location"] == "/users/settings"


@pytest.mark.cases("LOG-08")
def test_who_comes_from_the_closing_page_signed_out_lands_on_it_again(garden):
    garden.member()
    browser = garden.browser()
    browser.open("/users/settings/close")
    link = unescape(re.search(r'href="(/users/log_in\?[^"]+)"', browser.page)[1])

    browser.open(link)
    first = browser.submit("/users/log_in", email=EMAIL, password=PASSWORD)
    shown = browser.page
    browser.submit("/users/log_out", _method="delete")
    second = browser.log_in(EMAIL)

    assert first.headers["location"] == "/users/settings/close"
    assert "What will be deleted" in shown
    assert second.headers["location"] == "/"


@pytest.mark.parametrize(
    "to",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "/\t/elsewhere.example/",
        "javascript:alert(1)",
        "settings",
        "/" + "a" * 3000,
        "",
    ],
)
def test_a_return_path_that_may_lead_elsewhere_is_ignored(garden, to):
    garden.member()
    browser = garden.browser()
    browser.open("/members")

    answer = browser.get("/users/log_in", params={"return_to": to})
    browser.page = answer.text

    assert answer.status_code == 200
    gone_to = browser.submit("/users/log_in", email=EMAIL, password=PASSWORD)
    assert gone_to.headers["location"] == "/"


def test_a_return_path_counts_in_the_link_to_the_page_alone(garden):
    """What a form brings along is no wish of a page of ours."""
    garden.member()
    browser = garden.browser()
    browser.open("/users/log_in")

    answer = browser.submit(
        "/users/log_in?return_to=/members", email=EMAIL, password=PASSWORD, return_to="/members"
    )

    assert answer.headers["location"] == "/"


@pytest.mark.cases("LOG-10")
@pytest.mark.parametrize(("age", "alive"), [({"hours": 13 * 24 + 23}, True), ({"days": 14}, False)])
def test_a_session_lives_for_fourteen_days(garden, age, alive):
    garden.member()
    browser = garden.signed_in()

    garden.clock.advance(**age)

    assert browser.is_signed_in is alive


@pytest.mark.cases("LOG-13")
def test_logging_out_ends_the_token_the_cookies_and_the_csrf_secret(garden):
    garden.member()
    browser = garden.signed_in(remember_me="true")
    (set_at_log_in,) = cookies_in(browser.log_in(EMAIL), REMEMBER_ME)

    thief, old_token = browser.copy(), browser.token

    answer = browser.submit("/users/log_out", _method="delete")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "logged out" in browser.notice
    assert garden.count("users_tokens") == 0
    assert not thief.is_signed_in
    assert browser.post("/posts", data={"_csrf_token": old_token}).status_code == 403
    (gone,) = cookies_in(answer, REMEMBER_ME)
    assert "Max-Age=0" in gone
    attributes = {"HttpOnly", "Path=/", "SameSite=lax"}
    assert attributes <= set(re.split("; ", gone)) & set(re.split("; ", set_at_log_in))
    assert not browser.remembers


@pytest.mark.cases("LOG-14")
def test_logging_out_twice_is_no_error(garden):
    garden.member()
    member, stranger = garden.signed_in(), garden.browser()

    answer = member.submit("/users/log_out", _method="delete")
    same = stranger.submit("/users/log_out", _method="delete")

    assert (same.status_code, same.headers["location"]) == (answer.status_code, "/")
    assert member.notice == stranger.notice


@pytest.mark.cases("CLO-15")
@pytest.mark.parametrize("sent", [{"_method": "delete"}, {"method": "DELETE"}])
def test_a_form_whose_account_has_closed_meanwhile_is_led_on_with_303(garden, sent):
    ada = garden.member()
    browser = garden.signed_in()
    browser.open("/")
    garden.close(ada)

    answer = browser.submit("/users/log_out", **sent)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Your account has been deleted" in browser.notice


@pytest.mark.cases("CLO-15")
def test_a_script_gets_204_and_a_form_303(garden):
    """After 302 a browser would repeat DELETE on the start page."""
    garden.member()
    script, form = garden.signed_in(), garden.signed_in()

    assert script.script("DELETE", "/users/log_out").status_code == 204
    assert form.submit("/users/log_out", method="DELETE").status_code == 303
    assert not script.is_signed_in
    assert not form.is_signed_in


def test_a_form_that_does_not_say_delete_is_a_page_and_not_a_log_out(garden):
    garden.member()
    browser = garden.signed_in()

    assert browser.submit("/users/log_out").status_code == 405
    assert browser.is_signed_in


@pytest.mark.cases("LOG-13", "LOG-16")
def test_one_browser_logs_out_and_the_socket_of_the_other_stays_open(garden):
    garden.member()
    with garden.served() as browser:
        laptop, phone = browser(), browser()
        laptop.log_in(EMAIL)
        phone.log_in(EMAIL)
        with laptop.socket() as ending, phone.socket() as staying:
            laptop.submit("/users/log_out", _method="delete")

            assert ending.hear() == {"event": "logout", "payload": {"to": "/"}}
            with pytest.raises(ConnectionClosed):
                ending.hear()
            assert staying.push("no such event")["status"] == "error"
            assert phone.is_signed_in


def test_dead_tokens_are_cleaned_out_of_the_cookies(garden):
    """tutorial:P14"""
    ada = garden.member()
    browser = garden.signed_in(remember_me="true")
    garden.execute("DELETE FROM users_tokens WHERE user_id = :ada", ada=ada)

    browser.open("/")

    assert not browser.remembers
    assert not browser.is_signed_in


def test_the_secret_in_the_cookie_is_not_what_the_database_holds(garden):
    """tutorial:DM-18"""
    ada = garden.member()
    secret = garden.token(ada, tokens.SESSION)

    (row,) = garden.rows("SELECT token FROM users_tokens")

    assert secret.encode() not in row["token"]
    assert len(row["token"]) == 32


def cookies_in(answer, name):
    """Return the Set-Cookie headers for one cookie."""
    headers = answer.headers.get_list("set-cookie")
    return [header for header in headers if header.startswith(f"{name}=")]
