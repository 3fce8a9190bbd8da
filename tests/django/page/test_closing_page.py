"""The closing page on Django: what it says, what it asks, and what is left to the browser."""

import re
from html import unescape

import pytest

from tests.django.page.ada import CLOSE, JSON, RIGHT, SITE, TOKEN, is_open, signed_in

# What differs between databases lies below the page.
pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


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
