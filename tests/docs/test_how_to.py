"""Guides whose code runs in the order of the page."""

import json
import re
import subprocess

import pytest

from tests.support.documentation import Written, at, block, blocks
from tests.support.gardens import Browser, InProcess
from tests.support.paths import ROOT

# ---------------------------------------------------------------- invalid CSRF token

INVALID = ROOT / "docs" / "invalid-csrf-token.md"
PROTECT = ROOT / "docs" / "how-to" / "csrf.md"


@pytest.fixture
def notes(tmp_path, loop):
    """A browser at the site that the guide builds."""
    with at(tmp_path, SESSION_SECRET="a secret") as monkeypatch:
        server = Written(tmp_path, monkeypatch)
        for language, code in blocks(PROTECT):
            if language == "python":
                server.python(code)
        server.file(block(PROTECT, "html"))
        app = server.modules["server"].app
        yield Browser("http://notes.test", transport=InProcess(app, loop))


def test_a_token_is_accepted_in_the_field_and_in_the_header(notes):
    notes.open("/notes")
    field = re.search(r'name="_csrf_token" value="([^"]+)"', notes.page)[1]

    for options in ({"data": {"_csrf_token": field}}, {"headers": {"X-CSRF-Token": notes.token}}):
        assert notes.post("/notes", **options).text == "Noted."
    assert notes.post("/notes", params={"_csrf_token": field}).status_code == 403


def test_after_a_log_in_in_another_tab_one_sees_the_page_that_is_shown(notes):
    notes.open("/notes")
    stale = notes.token
    notes.post("/login", data={"_csrf_token": stale})
    headers = {"Origin": "http://notes.test", "Referer": "http://notes.test/notes"}

    refused = notes.post("/notes", data={"_csrf_token": stale}, headers=headers)

    assert refused.status_code == 403
    shown = [re.sub(r"[*>]+", "", line).strip() for line in INVALID.read_text().splitlines()]
    quoted = [line for line in shown if line]
    for words in re.findall(r"<(?:h1|p|a)[^>]*>([^<]+)", refused.text):
        assert all(part in " ".join(quoted) for part in re.split(r"(?<=\.) ", words.strip())), words
    assert notes.get(re.search(r'href="([^"]+)"', refused.text)[1]).status_code == 200


def test_the_script_reads_the_token_when_it_sends_and_reloads_a_stale_page(node):
    harness = """
        let token = "first", reloads = 0, sent = [];
        const tag = { getAttribute: () => token };
        globalThis.document = { querySelector: () => tag };
        globalThis.location = { reload: () => { reloads += 1; } };
        globalThis.fetch = async (path, { headers }) => {
          sent.push(headers["X-CSRF-Token"]);
          return { status: token === "second" ? 204 : 403 };
        };
        await send("/notes", "POST");
        token = "second";
        await send("/notes", "POST");
        console.log(JSON.stringify([sent, reloads]));
    """
    command = [node, "--input-type=module", "--eval", block(PROTECT, "js") + harness]

    printed = subprocess.check_output(command, text=True)

    assert json.loads(printed) == [["first", "second"], 1]


# ---------------------------------------------------------------- how-to

HOW_TO = ROOT / "docs" / "how-to"


HOW_TO_PAGES = [("jwt", "myapp"), ("fastapi-users", "myapp"), ("any-application", "myapp")]


@pytest.mark.parametrize(("page", "package"), HOW_TO_PAGES)
def test_a_how_to_prints_what_it_shows(page, package, tmp_path):
    """The others are read where their subject is tested, such as the guides for Django."""
    shown, printed = [], []
    with at(tmp_path) as monkeypatch:
        typed = Written(tmp_path, monkeypatch, package)
        for language, code in blocks(HOW_TO / f"{page}.md"):
            if language == "python" and (said := typed.python(code)):
                printed.append(said)
            elif language == "text":
                shown.append(code)
        typed.scratch["engine"].dispose()

    assert shown
    assert printed == shown


# ---------------------------------------------------------------- accounts that were closed earlier


def test_an_account_is_adopted_and_erased_again(database):
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    from tests.support.schemas import forum

    page = ROOT / "docs" / "how-to" / "earlier-accounts.md"
    forum.create(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE users SET deleted_at = '2024-05-06 07:08:09'"))
    adopted, again = (code for language, code in blocks(page) if language == "python")
    names = {"engine": database, "eraser": forum.eraser(), "Session": Session, "print": str}

    exec(adopted, names)
    exec(again.replace("print(", "shown = ("), names)

    assert names["receipt"].search.is_clean
    assert " ".join(map(str, names["shown"])) == block(page, "text").strip()
