"""The closing page on Django: what it says, what it asks, and what is left to the browser."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

CLOSE = "/account/close"
PASSWORD = "runner beans and peas"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
JSON = {"HTTP_ACCEPT": "application/json"}
SITE = "tests.support.django_projects.closing_site"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.fixture
def site(alias, settings_of):
    """The town with its pages; accounts close in the default database."""
    from django.test import override_settings

    from tests.support.django_projects.closing_site import SETTINGS

    with override_settings(**SETTINGS):
        yield settings_of


@pytest.fixture
def ada(site, town):
    ada = town.ada()
    ada.set_password(PASSWORD)
    ada.save()
    return ada


@pytest.fixture
def browser(site, ada):
    return signed_in(ada)


def signed_in(person, **options):
    from django.test import Client

    browser = Client(**options)
    browser.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return browser


def is_open(town, person):
    return town.Person.filter(pk=person.pk, deleted_at=None).exists()


# ---------------------------------------------------------------- what it says


def test_the_page_says_what_goes_and_what_stays(browser, town, ada):
    town.Post.create(author=ada, body="Yours, Lovelace")
    town.Receipt.create(person=ada, issued_on="2026-01-05", name="Ada Lovelace")

    page = browser.get(CLOSE).content.decode()

    assert "posts (1), without your data in editor, body, notes" in page
    assert (
        "receipts (1) until at least January 5, 2036, because the law requires it: tax law" in page
    )
    assert "your account: password, last login," in page
    assert re.search(r"Your email( address)? can be used for a new account\.", page)


def test_the_page_runs_no_script_and_loads_only_its_style(browser):
    page = browser.get(CLOSE)
    style = browser.get(f"{CLOSE}/efface.css")

    assert "<script" not in page.content.decode()
    assert " style=" not in page.content.decode()
    assert f'href="{CLOSE}/efface.css"' in page.content.decode()
    assert b".efface-danger" in style.content
    assert "no-store" in page["Cache-Control"]
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_whoever_is_signed_out_reads_how_it_is_done(site):
    from django.test import Client

    page = Client().get(CLOSE)

    assert page.status_code == 200
    assert "/log-in/?next=%2Faccount%2Fclose" in page.content.decode()


def test_a_program_reads_the_same_facts(browser, town, ada):
    town.Post.create(author=ada, body="Yours, Lovelace")

    facts = browser.get(CLOSE, **JSON).json()

    assert {"text": "posts (1), without your data in editor, body, notes", "until": None} in facts[
        "kept"
    ]
    assert facts["proof"] == "password"
    assert facts["csrf_token"]


def test_the_page_speaks_german(browser, ada, town, site):
    town.Post.create(author=ada, body="Yours, Lovelace")

    with site(LABELS=f"{SITE}.german"):
        page = browser.get(CLOSE, HTTP_ACCEPT_LANGUAGE="de-AT")

    assert "Möchten Sie Ihr Konto löschen?" in page.content.decode()
    assert "Beiträge (1)" in page.content.decode()
    assert page["Content-Language"] == "de"


def test_a_project_replaces_one_block(browser, tmp_path):
    from django.test import override_settings

    from tests.support.django_projects.closing_site import templates

    (tmp_path / "efface").mkdir()
    (tmp_path / "efface" / "delete_account_dialog.html").write_text(
        '{% extends "efface/delete_account_dialog.html" %}'
        "{% block consent %}<b>Sure?</b>{% endblock %}"
    )
    with override_settings(TEMPLATES=templates(tmp_path)):
        page = browser.get(CLOSE).content.decode()

    assert "<b>Sure?</b>" in page
    assert "Current password" in page


def test_a_settings_page_has_the_section(browser):
    page = browser.get("/settings").content.decode()

    assert f'action="{CLOSE}"' in page
    assert TOKEN.search(page)
    assert "<h2" in page


def test_a_section_without_a_request_says_which_line_is_missing(site):
    from django.template import engines

    from efface.errors import SettingsError

    template = engines["django"].from_string("{% load efface %}{% delete_account %}")

    with pytest.raises(SettingsError, match=r"render\(request, "):
        template.render({})


# ---------------------------------------------------------------- what it does


@pytest.mark.parametrize("path", [CLOSE, f"{CLOSE}/"])
def test_who_proves_and_confirms_it_is_gone(browser, ada, town, path):
    phone = signed_in(ada)

    answer = browser.post(path, RIGHT)

    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{CLOSE}/done?reference=")
    assert answer.cookies["sessionid"]["max-age"] == 0
    assert not is_open(town, ada)
    receipt = town.receipts()[0]
    assert receipt.actor == "self-service by form, password"
    assert receipt.search.is_clean
    for device in (browser, phone):
        assert "Log in to delete" in device.get(CLOSE).content.decode()


def test_the_farewell_needs_no_account(browser, ada, town, site):
    from django.test import Client

    town.Receipt.create(person=ada, issued_on="2026-01-05", name="Ada Lovelace")
    with site(RECIPIENTS=["our bookkeeper"]):
        farewell = browser.post(CLOSE, RIGHT)["Location"]
        page = Client().get(farewell).content.decode()
        record = Client().get(farewell, **JSON).json()

    assert town.receipts()[0].reference in page
    assert "our bookkeeper" in page
    assert record["kept"][0]["until"] == "2036-01-05"
    assert "Lovelace" not in page


@pytest.mark.parametrize("reference", ["", "0" * 20, "x" * 33, "é", "a/b"])
def test_nobody_finds_a_closing_without_its_number(site, reference):
    from django.test import Client

    answer = Client().get(f"{CLOSE}/done", {"reference": reference})

    assert answer.status_code == 404


def test_a_program_closes_and_gets_the_record(browser, ada, town):
    answer = browser.post(CLOSE, RIGHT, content_type="application/json", **JSON)

    assert answer.status_code == 200
    assert answer.json()["status"] == "closed"
    assert answer.json()["reference"] == town.receipts()[0].reference
    assert town.receipts()[0].actor == "self-service by program, password"


def test_a_page_of_the_projects_own_gets_a_message(browser, ada, town, site):
    browser.cookies["remember"] = "a token"
    with site(REDIRECT_PATH="goodbye", CLEAR_COOKIES=["remember"]):
        answer = browser.post(CLOSE, RIGHT)
        page = browser.get(answer["Location"]).content.decode()

    assert answer["Location"] == "/goodbye"
    assert answer.cookies["remember"]["max-age"] == 0
    assert (
        unescape(page)
        == "Your account has been deleted, and you've been logged out on all devices."
    )


def test_a_closing_is_committed_before_the_answer(browser, ada, town, monkeypatch):
    """In a transaction around the request the browser would hear of a closing that may fail yet."""
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with town.statements() as ran:
        answer = browser.post(CLOSE, RIGHT)

    assert answer.status_code == 303
    assert town.receipts()[0].finalized_at
    assert sum(query["sql"].startswith("SAVEPOINT") for query in ran) == 0


# ---------------------------------------------------------------- what it refuses


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


# ---------------------------------------------------------------- settings


@pytest.fixture
def checked(site):
    """What the check of the page says under other settings."""
    from django.test import override_settings

    from efface.django.checks import check_page

    def found(efface, **changes):
        with override_settings(**changes), site(**efface):
            return check_page()

    return found


def test_the_check_of_the_page_has_nothing_to_say_of_a_page_that_works(checked):
    assert checked({"REDIRECT_PATH": "goodbye"}, LOGIN_URL="log-in") == []
    assert checked({"REDIRECT_PATH": "/goodbye"}) == []
    # What the check of the policy says is not said twice.
    assert checked({"REDIRECT_PATH": 7}) == []


BROKEN = [
    ({"REDIRECT_PATH": "no-such-route"}, {}, '"REDIRECT_PATH": "/goodbye"'),
    ({}, {"LOGIN_URL": "nope:login"}, 'LOGIN_URL = "/log_in"'),
    ({}, {"TEMPLATES": []}, '"APP_DIRS": True'),
    ({}, {"MIDDLEWARE": []}, "django.contrib.sessions.middleware.SessionMiddleware"),
]


@pytest.mark.parametrize(("efface", "changes", "line"), BROKEN)
def test_what_would_break_the_page_is_found_by_check(checked, efface, changes, line):
    (found,) = checked(efface, **changes)

    assert found.id == "efface.E602"
    assert line in found.msg


@pytest.mark.parametrize(
    ("efface", "middleware"),
    [
        ({"IDENTIFY": lambda _: None}, []),
        ({}, ["tests.django.middleware.OfTheProject"]),
    ],
)
def test_who_is_there_may_be_known_without_djangos_sessions(checked, efface, middleware):
    assert checked(efface, MIDDLEWARE=middleware) == []


@pytest.mark.parametrize(("efface", "changes", "line"), BROKEN)
@pytest.mark.parametrize("urls", [(), None])
def test_a_project_without_the_page_may_have_all_of_it(checked, efface, changes, line, urls):
    assert checked(efface, **changes, ROOT_URLCONF=urls) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"REDIRECT_URI": "/"}, "REDIRECT_PATH"),
        ({"REDIRECT_PATH": 7}, "REDIRECT_PATH"),
        ({"REDIRECT_PATH": "https://elsewhere.example/"}, "a path of this site"),
        ({"REDIRECT_PATH": "//elsewhere.example"}, "a path of this site"),
        ({"BLOCKERS": "nowhere.at.all"}, "can't import it"),
        ({"BLOCKERS": 7}, "needs a function"),
        ({"RECIPIENTS": "our bookkeeper"}, "list of texts"),
        ({"RECENT_LOGIN": 600}, "timedelta"),
    ],
)
def test_a_mistake_in_the_settings_is_found_by_check(site, said, reason):
    from efface.django.checks import check_policy

    with site(**said):
        found = check_policy()

    assert [message.id for message in found] == ["efface.E602"]
    assert reason in found[0].msg
