"""What the settings say of the live socket and of who people are, and mistakes in them."""

import queue
import re

import pytest

CLOSE = "/account/close"
PASSWORD = "runner beans and peas"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
LIVE = {"LOGOUT_PATH": "/users/log_out"}
HERE = "tests.django.live.test_live_settings"


# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.fixture
def site(alias, settings_of):
    from django.test import override_settings

    from tests.support.django_projects.closing_site import SETTINGS

    with override_settings(**SETTINGS, CSRF_FAILURE_VIEW="efface.django.csrf.csrf_failure"):
        yield settings_of


@pytest.fixture
def ada(site, town):
    ada = town.ada()
    ada.set_password(PASSWORD)
    ada.save()
    return ada


def browser(person=None, **options):
    from django.test import Client

    browser = Client(**options)
    if person is not None:
        browser.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return browser


def socket(**options):
    from efface.django.live import Live

    return Live("/live", **options)


# ---------------------------------------------------------------- the section


def test_the_section_says_where_the_socket_is(ada, site):
    with site(LIVE=socket(), **LIVE):
        page = browser(ada).get("/settings").content.decode()
        script = browser().get(f"{CLOSE}/efface.js")

    assert 'data-live-path="/live"' in page
    assert 'data-logout-path="/users/log_out"' in page
    assert 'data-redirect-path="/"' in page
    assert f'<script type="module" src="{CLOSE}/efface.js">' in page
    for part in ("open", "plain", "dialog", "form", "message", "cancel", "submit", "progress"):
        assert page.count(f'data-efface="{part}"') == 1
    assert script["Content-Type"] == "text/javascript"
    assert b"export const live" in script.content


def test_nobody_is_shown_a_dialog_who_has_to_log_in_again(ada, site):
    ada.set_unusable_password()
    ada.save()
    with site(LIVE=socket(), HAS_RECENT_LOGIN=lambda _: False, **LIVE):
        page = browser(ada).get(CLOSE).content.decode()

    assert "Log in again" in page
    assert "What will be deleted" in page
    assert "<dialog" not in page
    assert "<form" not in page


def test_forms_go_to_the_path_that_is_there(ada, site, town):
    """Included with a slash at its end, the page is only there."""
    from django.test import override_settings
    from django.urls import include, path

    urls = (path("account/close/", include("efface.django.urls")),)
    with site(LIVE=socket(), **LIVE), override_settings(ROOT_URLCONF=urls):
        laptop = browser(ada)
        page = laptop.get(f"{CLOSE}/").content.decode()
        (action,) = re.findall(r'action="([^"]+)"', page)
        links = re.findall(r'(?:href|src)="(/account[^"]+)"', page)
        found = {link: len(laptop.get(link).getvalue()) for link in links}
        answer = laptop.post(action, RIGHT)
        farewell = laptop.get(answer["Location"])

    assert found.keys() == {f"{CLOSE}/efface.css", f"{CLOSE}/efface.js"}
    assert all(found.values())
    assert answer.status_code == 303
    assert farewell.status_code == 200
    assert not town.Person.filter(pk=ada.pk, deleted_at=None).exists()


# ---------------------------------------------------------------- who it is, what proves it


def test_identify_says_who_is_there(ada, site, town):
    cookies = browser()
    with site(IDENTIFY=lambda request: request.COOKIES.get("person")):
        nobody = cookies.get(CLOSE).content.decode()
        cookies.cookies["person"] = str(ada.pk)
        page = cookies.get(CLOSE).content.decode()
        section = cookies.get("/settings").content.decode()
        answer = cookies.post(CLOSE, RIGHT)
        afterwards = cookies.get(CLOSE).content.decode()

    assert "Log in to delete your account" in nobody
    assert "Current password" in page
    assert "Current password" in section
    assert answer.status_code == 303
    assert "Log in to delete your account" in afterwards
    assert not town.Person.filter(pk=ada.pk, deleted_at=None).exists()


def test_an_identity_that_changes_while_the_password_is_checked_closes_nothing(ada, site, town):
    grace = town.person()
    keys = iter([ada.pk, grace.pk])
    with site(IDENTIFY=lambda _: next(keys)):
        answer = browser().post(CLOSE, RIGHT, HTTP_ACCEPT="application/json")

    assert answer.status_code == 401
    assert town.Person.filter(deleted_at=None).count() == 2


@pytest.mark.parametrize(("recent", "status"), [(True, 303), (False, 403), ("yes", 403)])
def test_the_project_may_know_better_how_recent_a_log_in_is(ada, site, recent, status):
    ada.set_unusable_password()
    ada.save()
    with site(HAS_RECENT_LOGIN=lambda _: recent):
        assert browser(ada).post(CLOSE, {"confirm": "yes"}).status_code == status


# ---------------------------------------------------------------- the farewell


class Post:
    """What would send mails: it keeps them, and knows what was committed then."""

    def __init__(self, town):
        self.town, self.sent = town, []

    def part(self, person):
        address = person.email

        def send(farewell):
            is_open = self.town.Person.filter(email=address).exists()
            self.sent.append((address, is_open, farewell))

        return send


def test_the_farewell_goes_out_once_after_the_commit(ada, site, town):
    post = Post(town)
    with site(CONFIRMATION_EMAIL=post.part):
        phone = browser(ada)
        browser(ada).post(CLOSE, RIGHT, HTTP_ACCEPT_LANGUAGE="de")
        phone.post(CLOSE, RIGHT)

    ((address, was_open, farewell),) = post.sent
    reference = town.receipts()[0].reference
    assert address == "ada@example.org"
    assert not was_open
    assert farewell.reference == reference
    assert farewell.path == f"{CLOSE}/done?reference={reference}"
    assert farewell.language.code == "de"
    assert farewell.subject == "Ihr Konto wurde gelöscht"


def test_no_farewell_where_the_account_stays(ada, site, town):
    from efface.django import Blocker

    post = Post(town)
    with site(CONFIRMATION_EMAIL=post.part, BLOCKERS=lambda _: [Blocker("Finish it.", "/posts/1")]):
        browser(ada).post(CLOSE, RIGHT)
    with site(CONFIRMATION_EMAIL=post.part):
        browser(ada).post(CLOSE, {**RIGHT, "current_password": "wrong"})

    assert post.sent == []


def fails(*_):
    raise LookupError("ada@example.org")


@pytest.mark.parametrize("part", [fails, lambda _: fails, lambda _: None])
def test_a_mail_that_fails_stops_no_closing_and_is_not_quoted(ada, site, town, part, caplog):
    with site(CONFIRMATION_EMAIL=part):
        answer = browser(ada).post(CLOSE, RIGHT)

    assert answer.status_code == 303
    assert town.receipts()[0].finalized_at
    assert "ada@example.org" not in caplog.text


def test_a_statement_that_fails_for_the_mail_does_not_end_the_closing(ada, site, town, caplog):
    from django.db import connection

    def part(_):
        connection.cursor().execute("SELECT nothing FROM nowhere")

    with site(CONFIRMATION_EMAIL=part):
        answer = browser(ada).post(CLOSE, RIGHT)

    assert answer.status_code == 303
    assert "The confirmation email could not be prepared: OperationalError" in caplog.text
    assert "nowhere" not in caplog.text


# ---------------------------------------------------------------- out of date


def test_a_page_that_is_out_of_date_has_a_way_back_in_the_language_of_the_browser(ada):
    laptop = browser(ada, enforce_csrf_checks=True)
    headers = {
        "HTTP_ACCEPT": "text/html",
        "HTTP_ACCEPT_LANGUAGE": "de",
        "HTTP_REFERER": "http://testserver/settings?x=1",
    }

    page = laptop.post(CLOSE, RIGHT, **headers)
    elsewhere = laptop.post(CLOSE, RIGHT, **headers | {"HTTP_REFERER": "https://x.example/steal"})

    assert page.status_code == elsewhere.status_code == 403
    assert "Diese Seite ist veraltet" in page.content.decode()
    assert page["Content-Language"] == "de"
    assert 'href="/settings"' in page.content.decode()
    assert "steal" not in elsewhere.content.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_ACCEPT": "application/json"},
        {"HTTP_X_CSRFTOKEN": "stale"},
        {"HTTP_SEC_FETCH_MODE": "cors"},
        {"content_type": "application/json"},
    ],
)
def test_a_script_that_is_out_of_date_gets_json(ada, town, headers):
    answer = browser(ada, enforce_csrf_checks=True).post(CLOSE, RIGHT, **headers)

    assert answer.status_code == 403
    assert answer.json()["error"] == "csrf"
    assert "no-store" in answer["Cache-Control"]
    assert town.Person.filter(pk=ada.pk, deleted_at=None).exists()


# ---------------------------------------------------------------- telling from synchronous code


class Heard:
    """A broker that only keeps what a process without an event loop has told."""

    def __init__(self):
        self.signals = queue.Queue()

    def topic(self, subject):
        return str(subject)

    def join(self, _hear):
        return None

    def announce(self, signal):
        self.signals.put(signal)


def test_what_is_asked_anew_waits_for_the_commit(site, ada):
    from django.db import transaction

    heard = Heard()
    live = socket(broker=heard)
    with transaction.atomic():
        live.recheck_soon(ada.pk)
        transaction.set_rollback(True)
    with transaction.atomic():
        live.recheck_soon(ada.pk + 1)
        assert heard.signals.empty()

    signal = heard.signals.get(timeout=10)
    assert (signal.kind, signal.topic) == ("recheck", str(ada.pk + 1))
    assert heard.signals.empty()


def test_a_closing_from_anywhere_ends_the_sockets(site, town, ada):
    heard = Heard()
    with site(LIVE=socket(broker=heard), **LIVE):
        town.close(ada)

    signal = heard.signals.get(timeout=10)
    assert (signal.kind, signal.topic) == ("end", str(ada.pk))


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {"LIVE": "nowhere.at.all", **LIVE},
            "names nowhere.at.all in LIVE, but Python can't import it",
        ),
        ({"LIVE": f"{HERE}.HERE", **LIVE}, 'the object that Live("/live") makes'),
        ({"LIVE": 7, **LIVE}, 'the object that Live("/live") makes'),
        ({"LOGOUT_PATH": "https://elsewhere.example"}, "LOGOUT_PATH"),
        ({"LOGOUT_PATH": 7}, "LOGOUT_PATH"),
        ({"IDENTIFY": "nowhere.at.all"}, "in IDENTIFY, but Python can't import it"),
        ({"IDENTIFY": 7}, "needs a function, or the dotted path of one, in IDENTIFY"),
        (
            {"CONFIRMATION_EMAIL": 7},
            "needs a function, or the dotted path of one, in CONFIRMATION_EMAIL",
        ),
        (
            {"HAS_RECENT_LOGIN": 7},
            "needs a function, or the dotted path of one, in HAS_RECENT_LOGIN",
        ),
        ({"LOG_OUT_PATH": "/"}, "Did you mean LOGOUT_PATH?"),
    ],
)
def test_a_mistake_in_the_settings_is_found_by_check(site, said, reason):
    from efface.django.checks import check_policy

    with site(**said):
        found = check_policy()

    assert [message.id for message in found] == ["efface.E602"]
    assert reason in found[0].msg


def test_a_socket_needs_a_log_out_and_only_one_decides_how_recent_is_recent(site):
    from datetime import timedelta

    from efface.django import settings
    from efface.errors import SettingsError

    with site(LIVE=socket()), pytest.raises(SettingsError, match="LOGOUT_PATH"):
        settings.page_settings()
    both = {"RECENT_LOGIN": timedelta(minutes=1), "HAS_RECENT_LOGIN": lambda _: True}
    with site(**both), pytest.raises(SettingsError, match="Keep one of them"):
        settings.page_settings()


@pytest.mark.parametrize("path", ["/", "", "live", "//x.example", "https://x.example/live"])
def test_a_socket_needs_a_path_of_its_own(site, path):
    from efface.django.live import Live
    from efface.errors import SettingsError

    with pytest.raises(SettingsError, match="path of its own"):
        Live(path)


def test_another_socket_than_that_of_the_settings_stands_beside_nothing(site):
    from efface.errors import SettingsError

    with site(LIVE=socket(), **LIVE), pytest.raises(SettingsError, match="stands beside"):
        socket().beside(None)
