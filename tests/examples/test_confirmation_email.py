"""The mail to who has left: to the address they had, once, after the commit, and kept nowhere."""

import logging

import pytest

from garden.models import Invoice, Order
from tests.support.gardens import PASSWORD

EMAIL = "ada@garden.example"
CLOSE = "/users/settings/close"
CONSENT = {"current_password": PASSWORD, "confirm": "yes"}


@pytest.fixture
def ada(garden):
    ada = garden.member(name="Ada Lovelace")
    now = garden.clock()
    garden.add(order := Order(user_id=ada, item="peas", packets=2, note=None, ordered_at=now))
    garden.add(
        Invoice(
            order_id=order.id,
            billing_name="Ada Lovelace",
            billing_email=EMAIL,
            total_cents=480,
            issued_at=now,
        )
    )
    return ada


def by_form(garden):
    browser = garden.signed_in()
    browser.open("/users/settings")
    assert browser.submit(CLOSE, **CONSENT).status_code == 303


def by_program(garden):
    browser = garden.signed_in()
    assert browser.script("POST", CLOSE, json=CONSENT).status_code == 200


def by_socket(garden):
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(EMAIL)
        with laptop.socket() as socket:
            assert socket.push("anonymize", **CONSENT)["status"] == "ok"
        garden.mailbox.wait_for(EMAIL)


@pytest.mark.parametrize("close", [by_form, by_program, by_socket])
def test_one_mail_says_what_was_kept_and_until_when(garden, ada, close):
    """pitfalls:P-59, tutorial:G37"""
    close(garden)

    garden.finalized()
    (mail,) = garden.mailbox.all()
    (closing,) = garden.rows("SELECT reference FROM efface_closings")
    assert (mail.to, mail.subject) == (EMAIL, "Your account has been deleted")
    assert (
        "invoices until at least December 31, 2036, because the law requires it: tax law"
        in mail.text
    )
    assert f"Confirmation number: {closing['reference']}" in mail.text
    assert "Deleted on: March 1, 2026" in mail.text
    assert EMAIL not in mail.text
    kept = garden.everything()
    assert kept.pop("invoices")
    assert EMAIL not in str(kept)


def test_the_mail_leads_to_the_page_that_needs_no_account_where_the_site_knows_its_address(
    open_garden,
):
    garden = open_garden(url="https://garden.example")
    garden.member()
    by_form(garden)

    garden.finalized()
    (mail,) = garden.mailbox.all()
    path = mail.text.split("https://garden.example")[1].strip()
    assert path.startswith(f"{CLOSE}/done?reference=")
    assert "March 1, 2026" in garden.browser().get(path).text


def test_the_mail_is_in_the_language_of_who_leaves(garden, ada):
    browser = garden.signed_in()
    browser.headers["Accept-Language"] = "de"
    browser.open("/users/settings")
    browser.submit(CLOSE, **CONSENT)

    garden.finalized()
    (mail,) = garden.mailbox.all()
    assert mail.subject == "Ihr Konto wurde gelöscht"
    assert (
        "Rechnungen mindestens bis zum 31. Dezember 2036, weil das Gesetz es verlangt: Steuerrecht"
        in mail.text
    )


@pytest.mark.cases("CLO-02")
def test_closing_twice_sends_one_mail(garden, ada):
    first, second = garden.signed_in(), garden.signed_in()
    for browser in (first, second):
        browser.open("/users/settings")
    again = first.copy()

    answers = [browser.submit(CLOSE, **CONSENT) for browser in (first, again, second)]
    program = second.script("POST", CLOSE, json=CONSENT)

    garden.finalized()
    assert [answer.status_code for answer in answers] == [303] * 3
    assert program.status_code in (401, 403)
    assert [mail.to for mail in garden.mailbox.all()] == [EMAIL]


@pytest.mark.cases("CLO-05")
@pytest.mark.parametrize(
    ("verb", "table"), [("UPDATE", "users"), ("INSERT", "efface_closings"), ("UPDATE", "orders")]
)
def test_a_closing_that_fails_sends_none(garden, ada, verb, table):
    browser = garden.signed_in()
    browser.open("/users/settings")
    garden.execute("UPDATE orders SET note = 'Ring twice.'")
    garden.refuse(verb, table)

    answer = browser.submit(CLOSE, **CONSENT)

    garden.finalized()
    assert answer.status_code == 503
    assert browser.is_signed_in
    assert garden.mailbox.all() == []


def test_a_mail_that_cannot_be_sent_is_logged_without_the_address(open_garden):
    garden = open_garden(log_level=logging.DEBUG)
    ada = garden.member(name="Ada Lovelace")
    garden.lose_mail_server()

    by_form(garden)
    garden.finalized()

    (closing,) = garden.rows("SELECT reference, finalized_at FROM efface_closings")
    assert garden.row(ada)["deleted_at"] is not None
    assert closing["finalized_at"] is not None
    assert (
        f"The confirmation email of {closing['reference']} could not be sent: OSError" in garden.log
    )
    assert EMAIL not in garden.log


@pytest.mark.parametrize(
    ("wish", "line"),
    [
        (
            "en",
            (
                "invoices: at least 10 years after the end of the year "
                "in which the account is deleted, because the law"
            ),
        ),
        (
            "de",
            (
                "Rechnungen: mindestens 10 Jahre ab dem Ende des Jahres, "
                "in dem das Konto gelöscht wird, weil das Gesetz"
            ),
        ),
    ],
)
def test_who_is_signed_out_reads_from_the_policy_what_is_kept_and_how_long(garden, ada, wish, line):
    browser = garden.browser()
    browser.headers["Accept-Language"] = wish

    page = browser.open(CLOSE).text

    assert f"<li>{line}" in page
    assert str(garden.clock().year + 10) not in page
    assert garden.row(ada)["email"] not in page
