"""The page in other languages, and in the templates of the host."""

import re
from io import BytesIO

import pytest
from babel.messages.mofile import read_mo
from jinja2 import DictLoader

from efface.asgi.negotiated_language import preferred_languages
from efface.page.translations import LOCALE, languages
from tests.asgi.catalogs import catalog, compiled, sentences
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Site
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

CLOSE = "/users/settings/close"
GERMAN = {"Accept-Language": "de-AT, en;q=0.5"}
CATALOGS = sorted(LOCALE.glob("*/LC_MESSAGES/efface.po"))


@pytest.fixture
async def browser(open_browser, ada):
    async with open_browser() as browser:
        yield await browser.sign_in(ada)


# ---------------------------------------------------------------- catalogs


def said(binary):
    """The sentences of a compiled catalog; its head names the version that compiled it."""
    return {each.id: each.string for each in read_mo(BytesIO(binary)) if each.id}


@pytest.mark.parametrize("po", CATALOGS, ids=lambda po: po.parts[-3])
def test_every_sentence_is_translated_and_no_other(po):
    translated = {message.id: message.string for message in catalog(po) if message.id}

    assert translated.keys() == sentences()
    assert [source for source, text in translated.items() if not text] == []
    assert not any(message.fuzzy for message in catalog(po) if message.id)
    braces = re.compile(r"{\w+}")
    assert [
        source
        for source, text in translated.items()
        if sorted(braces.findall(source)) != sorted(braces.findall(text))
    ] == []


@pytest.mark.parametrize("po", CATALOGS, ids=lambda po: po.parts[-3])
def test_what_is_read_is_what_was_translated(po):
    """A forgotten `pybabel compile` would leave the page as it was."""
    read = said(po.with_suffix(".mo").read_bytes())

    assert read
    assert read == said(compiled(po))


def test_german_is_there():
    assert list(languages()) == ["en", "de"]


# ---------------------------------------------------------------- which one


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("de", ["de"]),
        ("fr;q=0.2, de-CH;q=0.8, en", ["en", "de-CH", "fr"]),
        ("de;q=0, en", ["en"]),
        ("de;q=x, en;q=", []),
        (";q=1,,;", []),
        ("de;q=nan", []),
        (",".join(["xx"] * 5000 + ["de"]), ["xx"] * 20),
    ],
)
def test_the_wishes_of_a_browser_are_read_without_trust(header, tags):
    assert preferred_languages(header) == tags


@pytest.mark.parametrize(
    ("header", "code"),
    [("de", "de"), ("DE-de", "de"), ("fr, de;q=0.1", "de"), ("fr", "en"), ("../de", "en")],
)
async def test_the_page_is_in_the_language_of_the_browser(browser, header, code):
    page = await browser.get(CLOSE, headers={"Accept-Language": header})

    title = {"de": "Möchten Sie Ihr Konto löschen?", "en": "Delete your account?"}
    assert f'<html lang="{code}">' in page.text
    assert f'lang="{code}" aria-labelledby' in page.text
    assert title[code] in page.text
    assert page.headers["content-language"] == code
    assert "Accept-Language" in page.headers["vary"]


async def test_the_answers_are_too(site, browser, ada):
    token = await browser.token("/settings")
    fields = {"_csrf_token": token, "current_password": "wrong", "confirm": "yes"}

    wrong = await browser.post(CLOSE, data=fields, headers=GERMAN)
    program = await browser.post(
        CLOSE, data=fields, headers={**GERMAN, "Accept": "application/json"}
    )
    right = await browser.post(CLOSE, data=fields | {"current_password": PASSWORD}, headers=GERMAN)

    await site.closing.wait_finalized()
    assert "Das Passwort ist falsch." in wrong.text
    assert "Passwort" in program.json()["message"]
    assert right.status_code == 303
    assert "Ihr Konto wurde gelöscht" in (await browser.get("/")).text


async def test_the_socket_speaks_it_too(address, site, ada):
    async with Browser(base_url=address) as browser:
        await browser.sign_in(ada)
        async with live(browser, **GERMAN) as socket:
            answer = await socket.ask("anonymize", {"confirm": "yes"})

    assert "Das Passwort ist falsch." in answer["message"]


async def test_dates_and_reasons_are_in_words_of_the_language():
    from datetime import date

    day = date(2036, 12, 31)

    assert languages()["en"].date(day) == "December 31, 2036"
    assert languages()["de"].date(day) == "31. Dezember 2036"


async def test_the_host_may_know_better(tmp_path, open_browser):
    site = Site(
        tmp_path / "site.db",
        language=lambda connection: connection.query_params.get("lang"),
        labels=lambda code: {"posts": {"de": "Beiträge", "en": "posts"}[code]},
    )
    ada = site.add("ada@example.org", posts=2)
    async with open_browser(site.app) as browser:
        await browser.sign_in(ada)
        asked = await browser.get(f"{CLOSE}?lang=de")
        unknown = await browser.get(f"{CLOSE}?lang=", headers=GERMAN)

    assert "Beiträge (2), ohne Ihre Daten in: body" in asked.text
    assert '<html lang="de">' in unknown.text
    site.engine.dispose()


# ---------------------------------------------------------------- templates


async def test_a_host_replaces_a_block_and_keeps_the_rest(tmp_path, open_browser):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "delete_account_dialog.html").write_text(
        '{% extends "efface/delete_account_dialog.html" %}'
        "{% block question %}<h2 id=efface-title>Leave us?</h2>{{ super() }}{% endblock %}"
    )
    (tmp_path / "pages" / "page.html").write_text(
        '{% extends "efface/page.html" %}{% block header %}<header>Our shop</header>{% endblock %}'
    )
    site = Site(tmp_path / "site.db", templates=tmp_path / "pages")
    ada = site.add("ada@example.org")
    async with open_browser(site.app) as browser:
        await browser.sign_in(ada)
        settings, page = await browser.get("/settings"), await browser.get(CLOSE)

    assert "Leave us?" in settings.text
    assert "Delete your account?" in settings.text
    assert 'name="current_password"' in settings.text
    assert "<header>Our shop</header>" in page.text
    assert "Leave us?" in page.text
    site.engine.dispose()


async def test_a_loader_does_as_well(tmp_path, open_browser):
    source = (
        '{% extends "efface/logged_out.html" %}{% block explanation %}Write to us.{% endblock %}'
    )
    site = Site(tmp_path / "site.db", templates=DictLoader({"logged_out.html": source}))
    async with open_browser(site.app) as nobody:
        page = await nobody.get(CLOSE)

    assert "Write to us." in page.text
    assert "return_to=" in page.text
    site.engine.dispose()


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match="not a folder"):
        Site(tmp_path / "site.db", templates=tmp_path / "nowhere")


@pytest.mark.cases("CSR-04")
async def test_a_form_that_is_out_of_date_is_refused_in_the_language_of_the_browser(browser):
    page = await browser.post("/settings", data={}, headers=GERMAN)
    program = await browser.post(CLOSE, json={}, headers={**GERMAN, "Accept": "application/json"})

    assert (page.status_code, program.status_code) == (403, 403)
    assert '<html lang="de">' in page.text
    assert "Wir konnten dieses Formular nicht annehmen" in page.text
    assert "Zurück zur Seite" in page.text
    assert "Diese Seite ist veraltet" in program.json()["message"]
