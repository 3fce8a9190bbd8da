"""Pressing the button, with and without its script."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
from websockets.exceptions import ConnectionClosed

from efface.errors import UnknownSubjectError
from garden.models import Order, Plot, PlotGroup, PlotGroupMember, Post
from tests.support.gardens import PASSWORD

EMAIL = "ada@garden.example"
CLOSE = "/users/settings/close"
CONSENT = {"current_password": PASSWORD, "confirm": "yes"}
ADDRESS = re.compile(r"[a-z\d]+([.+-][a-z\d]+)*@users\.invalid")


@pytest.fixture
def ada(garden):
    ada = garden.member(name="Ada Lovelace")
    now, signed = garden.clock(), "Write to ada@garden.example. Ada Lovelace"
    garden.add(
        Post(author_id=ada, title="Hi", body=signed, inserted_at=now),
        Plot(label="A1", crop="beans", holder_id=ada),
        Order(user_id=ada, item="peas", packets=2, note="Ring.", ordered_at=now),
        herbs := PlotGroup(name="Herb spiral"),
    )
    garden.add(PlotGroupMember(group_id=herbs.id, user_id=ada, is_organizer=True))
    return ada


@pytest.fixture
def browser(garden, ada):
    browser = garden.signed_in()
    browser.open("/users/settings")
    return browser


@pytest.mark.cases("CLO-01")
def test_what_remains_of_a_member_is_a_row_that_names_nobody(garden, ada, browser):
    garden.close(ada)

    row = garden.row(ada)
    (left_at,) = garden.ask("list_closed")
    assert left_at == garden.clock()
    assert left_at.tzinfo is UTC
    assert ADDRESS.fullmatch(row["email"])
    assert len(row["email"]) <= 160
    assert row["email"].index("@") <= 64
    assert (row["name"], row["hashed_password"], row["confirmed_at"]) == (None, None, None)
    assert garden.count("users_tokens") == 0
    assert garden.rows("SELECT body FROM posts") == [
        {"body": "Write to a former member. a former member"}
    ]
    (record,) = garden.rows("SELECT * FROM efface_closings")
    assert EMAIL not in str(record)
    assert "Lovelace" not in str(record)


@pytest.mark.cases("CLO-02")
def test_closing_twice_answers_the_first_receipt(garden, ada):
    first = garden.close(ada)
    before = garden.everything()
    garden.clock.advance(days=1)

    second = garden.close(ada)

    assert second.already_closed
    assert (second.reference, second.closed_at) == (first.reference, first.closed_at)
    assert garden.everything() == before
    assert garden.count("efface_closings") == 1
    assert garden.mailbox.all() == []


@pytest.mark.cases("CLO-03")
def test_of_two_at_once_one_closes_and_the_other_is_told(garden, ada):
    with ThreadPoolExecutor(2) as both:
        receipts = list(both.map(garden.close, [ada, ada]))

    assert sorted(receipt.already_closed for receipt in receipts) == [False, True]
    assert receipts[0].reference == receipts[1].reference
    assert garden.count("efface_closings") == 1


def test_an_unknown_key_is_said_to_be_unknown(garden):
    with pytest.raises(UnknownSubjectError):
        garden.close(8114)


@pytest.mark.cases("CLO-05")
@pytest.mark.parametrize(
    ("verb", "table"),
    [
        ("DELETE", "users_tokens"),
        ("UPDATE", "posts"),
        ("UPDATE", "orders"),
        ("UPDATE", "plots"),
        ("DELETE", "plot_group_members"),
        ("UPDATE", "users"),
        ("INSERT", "efface_closings"),
    ],
)
def test_a_failure_in_any_table_changes_nothing_and_the_member_is_told(
    garden, ada, browser, verb, table
):
    garden.refuse(verb, table)
    before = garden.everything()

    answer = browser.submit(CLOSE, **CONSENT)

    assert answer.status_code == 503
    assert "Something went wrong" in browser.page
    garden.finalized()
    assert garden.everything() == before
    assert browser.is_signed_in
    assert garden.mailbox.all() == []


@pytest.mark.cases("CLO-05")
def test_sockets_stay_open_where_a_closing_fails(garden, ada):
    garden.refuse("UPDATE", "posts")
    with garden.served() as browser:
        laptop, phone = browser(), browser()
        for device in (laptop, phone):
            device.log_in(EMAIL)
            device.open("/users/settings")
        with laptop.socket() as acting, phone.socket() as staying:
            failed = laptop.submit(CLOSE, **CONSENT)
            failed_too = acting.push("anonymize", **CONSENT)

            assert (failed.status_code, failed_too["status"]) == (503, "error")
            for socket in (acting, staying):
                assert socket.push("no such event")["status"] == "error"
        assert garden.row(ada)["deleted_at"] is None
        assert phone.is_signed_in


@pytest.mark.cases("CLO-07")
def test_every_browser_and_socket_of_the_member_is_signed_out(garden, ada):
    with garden.served() as browser:
        laptop, tablet, phone = browser(), browser(), browser()
        for device in (laptop, tablet, phone):
            device.log_in(EMAIL, remember_me="true")
        laptop.open("/users/settings")
        with phone.socket() as socket:
            laptop.submit(CLOSE, **CONSENT)

            assert socket.hear() == {"event": "logout", "payload": {"to": "/"}}
            with pytest.raises(ConnectionClosed):
                socket.hear()
        for device in (laptop, tablet, phone):
            device.open("/")
            assert not device.is_signed_in
            assert not device.remembers


@pytest.mark.cases("CLO-08")
def test_a_browser_that_never_hears_of_it_is_anonymous_at_its_next_request(open_garden):
    """The script did not run, or the answer was lost on its way."""
    garden = open_garden(dev=False)
    ada = garden.member()
    browser = garden.signed_in()
    garden.close(ada)
    placeholder = garden.row(ada)["email"]

    pages = [browser.open("/").text, browser.open("/users/settings").text, browser.page]

    assert not any(placeholder in page for page in pages)
    assert "Log in" in browser.page
    assert not browser.is_signed_in


@pytest.mark.cases("CLO-09")
def test_the_plain_form_closes_clears_and_says_farewell(garden, ada):
    browser = garden.signed_in(remember_me="true")
    browser.open("/users/settings")
    assert "Delete your account?" in browser.page

    answer = browser.submit(CLOSE, **CONSENT)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "no-store" in answer.headers["cache-control"]
    assert not browser.remembers
    assert "Your account has been deleted" in browser.notice
    browser.open("/")
    assert browser.notice == ""
    assert not browser.is_signed_in


@pytest.mark.cases("CLO-10")
@pytest.mark.parametrize(
    "fields",
    [
        {**CONSENT, "current_password": "wrong"},
        {**CONSENT, "current_password": ""},
        {**CONSENT, "confirm": "no"},
        {"current_password": PASSWORD},
        {},
    ],
)
def test_without_password_and_consent_the_server_refuses(garden, ada, browser, fields):
    before = garden.everything()

    answer = browser.submit(CLOSE, **fields)

    assert answer.status_code == 422
    assert "Your account is still open" in browser.page
    assert garden.everything() == before
    assert browser.is_signed_in


@pytest.mark.cases("CLO-10")
@pytest.mark.parametrize("password", ["wrong", "", "\ud800", 7, None, {"a": []}])
def test_a_message_made_by_hand_is_refused_too(garden, ada, password):
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(EMAIL)
        before = garden.everything()
        with laptop.socket() as socket:
            ack = socket.push("anonymize", current_password=password, confirm="yes")

            assert ack["status"] == "refused"
            assert garden.everything() == before


@pytest.mark.cases("CLO-13")
def test_a_form_sent_twice_closes_once(garden, ada, browser):
    again = browser.copy()

    browser.submit(CLOSE, **CONSENT)
    answer = again.submit(CLOSE, **CONSENT)

    assert answer.status_code == 303
    assert garden.count("efface_closings") == 1


@pytest.mark.cases("CLO-15")
def test_logging_out_after_closing_is_no_error_and_says_farewell(garden, ada, browser):
    garden.close(ada)

    answer = browser.script("DELETE", "/users/log_out")
    browser.open("/")

    assert answer.status_code == 204
    assert "Your account has been deleted" in browser.notice


@pytest.mark.cases("CLO-15")
def test_the_start_page_knows_no_delete(garden):
    assert garden.browser().script("DELETE", "/").status_code == 405


def test_a_visitor_who_sends_the_form_still_gets_where_the_login_was_to_lead(garden, ada):
    browser = garden.browser()
    browser.open("/users/settings")

    answer = browser.submit(CLOSE, **CONSENT)

    assert (answer.status_code, answer.headers["location"]) == (303, "/users/log_in")
    assert browser.log_in(EMAIL).headers["location"] == "/users/settings"
    assert garden.row(ada)["deleted_at"] is None


def test_a_visitor_who_sends_the_form_comes_back_to_it_after_the_login(garden, ada):
    browser = garden.browser()

    answer = browser.submit(CLOSE, **CONSENT)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/users/log_in?")
    assert browser.submit("/users/log_in", email=EMAIL, password=PASSWORD).headers["location"] == (
        CLOSE
    )
