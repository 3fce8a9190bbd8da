"""Failures behind the closing page on Django: each is told, and none is quoted."""

import pytest

from tests.django.page.ada import CLOSE, JSON, RIGHT, is_open

# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


def test_a_failure_is_told_and_not_quoted(browser, ada, town, site, caplog):
    def fails(_user):
        raise LookupError("ada@example.org")

    with site(BLOCKERS=fails):
        page = browser.get("/settings").content.decode()
        answer = browser.post(CLOSE, RIGHT)

    assert answer.status_code == 503
    assert "See what will be deleted and what we keep" in page
    assert "ada@example.org" not in caplog.text
    assert is_open(town, ada)


def test_without_autocommit_the_page_closes_nobody_and_the_log_says_why(browser, ada, town, caplog):
    from django.db import transaction

    transaction.set_autocommit(False)
    try:
        answer = browser.post(CLOSE, RIGHT)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert answer.status_code == 503
    assert "E608 AutocommitOffError" in caplog.text
    assert is_open(town, ada)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"LOGIN_URL": "nope:login"}, "LOGIN_URL is not the name of a route"),
        ({"TEMPLATES": []}, "TemplateDoesNotExist"),
    ],
)
def test_the_page_for_failures_does_not_need_what_fails(browser, caplog, broken, reason):
    from django.test import override_settings

    wrong = {**RIGHT, "current_password": "wrong"}
    with override_settings(**broken):
        answers = [browser.get(CLOSE), browser.post(CLOSE, wrong)]

    for answer in answers:
        assert answer.status_code == 503
        assert "Something went wrong." in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
    assert reason in caplog.text


def test_a_route_of_ones_own_that_is_not_there_closes_nobody(browser, ada, town, site, caplog):
    with site(REDIRECT_PATH="nope"):
        answers = [browser.get(CLOSE), browser.post(CLOSE, RIGHT)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "EFFACE names nope in REDIRECT_PATH" in caplog.text
    assert is_open(town, ada)


def test_a_program_is_told_of_a_failure_as_data(browser, site):
    from django.test import override_settings

    with override_settings(LOGIN_URL="nope:login"):
        answer = browser.get(CLOSE, **JSON)

    assert answer.status_code == 503
    assert answer.json()["error"] == "failed"


def test_what_fails_after_the_closing_does_not_say_that_nothing_was_closed(
    browser, ada, town, caplog
):
    from django.contrib.auth.signals import user_logged_out

    def failing(**_):
        raise LookupError("ada@example.org")

    user_logged_out.connect(failing)
    try:
        answer = browser.post(CLOSE, RIGHT)
    finally:
        user_logged_out.disconnect(failing)

    assert not is_open(town, ada)
    assert "Your account has been deleted" in answer.content.decode()
    assert "could not" not in answer.content.decode()
    assert "LookupError" in caplog.text
    assert "ada@example.org" not in caplog.text


def test_a_farewell_that_cannot_be_shown_does_not_leave_one_in_doubt(browser, ada, town):
    from django.test import Client, override_settings

    farewell = browser.post(CLOSE, RIGHT)["Location"]
    with override_settings(TEMPLATES=[]):
        known = Client().get(farewell)
        unknown = Client().get(f"{CLOSE}/done", {"reference": "x"})

    assert known.status_code == unknown.status_code == 503
    assert "Your account has been deleted" in known.content.decode()
    assert "Something went wrong." in unknown.content.decode()


def test_a_site_without_sessions_closes_accounts_as_well(ada, town, site):
    """Who is there is what the project reads from a cookie of its own."""
    from django.test import Client, override_settings

    names = [
        f"django.{name}"
        for name in ("middleware.locale.LocaleMiddleware", "middleware.csrf.CsrfViewMiddleware")
    ]
    browser = Client()
    browser.cookies["person"] = str(ada.pk)
    identify = {"IDENTIFY": lambda request: request.COOKIES.get("person")}
    with override_settings(MIDDLEWARE=names), site(**identify, CLEAR_COOKIES=["person"]):
        answer = browser.post(CLOSE, RIGHT)
        page = browser.get(answer["Location"]).content.decode()

    assert answer.status_code == 303
    assert answer.cookies["person"]["max-age"] == 0
    assert town.receipts()[0].reference in page
    assert not is_open(town, ada)
