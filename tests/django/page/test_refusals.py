"""What the closing page on Django refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.django.page.ada import CLOSE, JSON, RIGHT, SITE, TOKEN, is_open, signed_in

# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({**RIGHT, "confirm": ""}, "unconfirmed"),
        ({**RIGHT, "current_password": "wrong"}, "wrong_password"),
        ({**RIGHT, "current_password": ["list"]}, "wrong_password"),
        ({**RIGHT, "current_password": "\ud800"}, "wrong_password"),
        ({"confirm": "yes"}, "wrong_password"),
    ],
)
def test_without_proof_nothing_happens(browser, ada, town, fields, error):
    answer = browser.post(CLOSE, fields, content_type="application/json", **JSON)

    assert answer.status_code == 422
    assert answer.json()["error"] == error
    assert is_open(town, ada)


def test_a_wrong_password_leaves_the_page_with_the_reason(browser, ada, town):
    page = browser.post(CLOSE, {**RIGHT, "current_password": "wrong"})

    assert page.status_code == 422
    assert "That password is incorrect" in page.content.decode()
    assert "wrong" not in page.content.decode()


@pytest.mark.parametrize("body", ["[]", "{", "[" * 5000, "1"])
def test_a_body_that_is_no_form_is_refused(browser, ada, town, body):
    answer = browser.post(CLOSE, body, content_type="application/json")

    assert answer.status_code == 400
    assert is_open(town, ada)


def test_a_form_from_elsewhere_is_refused(ada, town, site):
    browser = signed_in(ada, enforce_csrf_checks=True)
    refused = browser.post(CLOSE, RIGHT)
    token = TOKEN.search(browser.get(CLOSE).content.decode())[1]
    accepted = browser.post(CLOSE, {**RIGHT, "csrfmiddlewaretoken": token})

    assert refused.status_code == 403
    assert accepted.status_code == 303


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_only_a_post_closes(browser, ada, town, method):
    assert getattr(browser, method)(CLOSE).status_code == 405
    assert is_open(town, ada)


def test_a_post_is_never_redirected_to_a_slash(ada, town, site):
    """Django's own redirect would be a GET, and lose what the form has sent."""
    from django.test import override_settings

    with override_settings(ROOT_URLCONF=with_a_slash(), DEBUG=False):
        browser = signed_in(ada)

        assert browser.get(f"{CLOSE}/").status_code == 200
        assert browser.post(CLOSE, RIGHT).status_code == 404
        assert is_open(town, ada)
        assert browser.post(f"{CLOSE}/", RIGHT)["Location"].startswith(f"{CLOSE}/done?")


def with_a_slash():
    from django.urls import include, path

    return (path("account/close/", include("efface.django.urls")),)


def test_blockers_are_named_and_asked_again_under_the_lock(browser, ada, town, site):
    with site(BLOCKERS=f"{SITE}.unfinished"):
        free = browser.get(CLOSE).content.decode()
        town.Post.create(author=ada, body="")
        blocked = browser.get(CLOSE).content.decode()
        german = browser.get(CLOSE, headers={"Accept-Language": "de"}).content.decode()
        answer = browser.post(CLOSE, RIGHT, **JSON)

    assert "begun" not in free
    assert "You have begun a post." in blocked
    assert "Ein Beitrag ist noch unfertig." in german
    assert "current_password" not in blocked
    assert ' disabled aria-describedby="efface-blockers">Delete account</button>' in blocked
    assert ' disabled aria-describedby="efface-blockers">Konto löschen</button>' in german
    assert '<div id="efface-blockers">' in blocked
    assert " disabled" not in free
    assert answer.status_code == 409
    assert answer.json()["blockers"][0]["text"] == "You have begun a post."
    assert is_open(town, ada)


@pytest.mark.parametrize(
    ("found", "kind"), [(None, "NoneType"), (["Hand over what is ada@example.org's."], "str")]
)
def test_what_is_no_blocker_closes_nobody_and_the_log_names_its_type(
    browser, site, caplog, found, kind
):
    with site(BLOCKERS=lambda _: found):
        answers = [browser.get(CLOSE), browser.post(CLOSE, RIGHT)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert (
        caplog.text.count(f"(BLOCKERS, or blockers=) returned a value of type {kind} instead of")
        == 2
    )
    assert "ada@" not in caplog.text


def test_too_many_tries_say_when_to_come_back(browser, ada, town, site):
    with site(CHECK_PASSWORD=f"{SITE}.never"):
        answer = browser.post(CLOSE, RIGHT)

    assert answer.status_code == 429
    assert answer["Retry-After"] == "60"
    assert is_open(town, ada)


def test_without_a_password_a_recent_login_is_needed(ada, town, site):
    ada.set_unusable_password()
    ada.save()
    browser, later = signed_in(ada), datetime.now(UTC) + timedelta(minutes=11)
    with site(CLOCK=lambda: later):
        old = browser.get(CLOSE).content.decode()
        refused = browser.post(CLOSE, {"confirm": "yes"})
    fresh = browser.get(CLOSE).content.decode()
    accepted = browser.post(CLOSE, {"confirm": "yes"})

    assert "Log in again" in old
    assert refused.status_code == 403
    assert "<form" in fresh
    assert "current_password" not in fresh
    assert accepted.status_code == 303
    assert town.receipts()[0].actor == "self-service by form, recent login"


def test_a_log_in_on_another_device_makes_no_session_recent(ada, town, site):
    ada.set_unusable_password()
    ada.save()
    browser, later = signed_in(ada), datetime.now(UTC) + timedelta(minutes=11)
    with site(CLOCK=lambda: later):
        signed_in(ada)
        refused = browser.post(CLOSE, {"confirm": "yes"})

    assert refused.status_code == 403
    assert is_open(town, ada)


def test_a_second_click_finds_it_done(browser, ada, town):
    other = signed_in(ada)
    browser.post(CLOSE, RIGHT)

    answer = other.post(CLOSE, RIGHT)

    assert answer.status_code == 303
    assert answer["Location"] == CLOSE
    assert len(town.receipts()) == 1


@pytest.mark.parametrize("settings", [{}, {"IDENTIFY": lambda _: None}])
def test_a_visitor_is_led_to_the_login_and_back(site, settings):
    from django.test import Client

    visitor = Client()
    with site(**settings):
        answer = visitor.post(CLOSE, RIGHT)

    assert answer.status_code == 303
    assert answer["Location"] == "/log-in/?next=%2Faccount%2Fclose"
    assert "no-store" in answer["Cache-Control"]
    assert "sessionid" not in answer.cookies


@pytest.mark.parametrize("settings", [{}, {"IDENTIFY": lambda _: None}])
def test_a_visitor_keeps_the_session_and_where_it_leads_after_the_login(site, settings):
    """The login page may store the path in its query in place of the one in the session."""
    from django.test import Client

    visitor = Client()
    session = visitor.session
    session["user_return_to"] = "/settings"
    session.save()
    with site(**settings):
        answer = visitor.post(CLOSE, RIGHT)

    assert (answer.status_code, answer["Location"]) == (303, "/log-in/")
    assert visitor.session["user_return_to"] == "/settings"
    assert "sessionid" not in answer.cookies


def test_a_session_of_the_projects_own_ends_when_its_account_was_closed_elsewhere(ada, site, town):
    """Such a session does not name its user to Django, but it has seen the form."""
    from django.test import Client

    tablet = Client()
    session = tablet.session
    session["person"] = ada.pk
    session.save()
    with site(IDENTIFY=lambda request: request.session.get("person")):
        assert "current_password" in tablet.get(CLOSE).content.decode()
        town.close(ada.pk)
        answer = tablet.post(CLOSE, RIGHT)

    assert (answer.status_code, answer["Location"]) == (303, CLOSE)
    assert answer.cookies["sessionid"]["max-age"] == 0


@pytest.mark.parametrize("store", ["db", "cache", "signed_cookies"])
def test_a_session_whose_account_was_closed_elsewhere_is_ended(ada, site, town, store):
    from django.test import override_settings

    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{store}"):
        tablet = signed_in(ada)
        town.close(ada.pk)
        answer = tablet.post(CLOSE, RIGHT)

    assert (answer.status_code, answer["Location"]) == (303, CLOSE)
    assert answer.cookies["sessionid"]["max-age"] == 0
