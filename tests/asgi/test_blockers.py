"""Reasons of the application that an account cannot be closed yet."""

import pytest
from sqlalchemy import select

from efface.asgi import Blocker
from efface.errors import BlockerError
from tests.asgi.site import PASSWORD, User
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

CLOSE = "/users/settings/close"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}

DISABLED = ' disabled aria-describedby="efface-blockers">Delete account</button>'
HERBS = Blocker("You are the last organizer of Herbs.", "/groups/7")


async def test_who_is_blocked_sees_a_disabled_button_and_the_reason(build):
    _, browser = await build(blockers=lambda *_: [HERBS])

    for path in ("/settings", CLOSE):
        page = (await browser.get(path)).text
        assert '<a href="/groups/7">You are the last organizer of Herbs.</a>' in page
        assert "Before you can delete your account" in page
        assert "<form" not in page
        assert DISABLED in page


async def test_a_form_that_was_open_before_is_refused_with_the_list(build):
    """pitfalls P-63: what the page does not show, the server does not do."""
    found = []
    site, browser = await build(blockers=lambda *_: list(found))
    token = await browser.token("/settings")
    found.append(HERBS)

    answer = await browser.post(CLOSE, data={"_csrf_token": token, **RIGHT})

    assert answer.status_code == 409
    assert "what you need to do first" in answer.text
    assert 'href="/groups/7"' in answer.text
    assert site.is_open(1)


async def test_they_are_asked_in_the_transaction_that_closes(build):
    """pitfalls P-54: with the row locked, so that nothing can change in between."""
    asked = []

    def blockers(session, subject):
        state = session.scalar(select(User.deleted_at).where(User.id == subject))
        raw = session.connection().connection.dbapi_connection
        asked.append((subject, state, raw.in_transaction))
        return []

    site, browser = await build(blockers=blockers)
    answer = await browser.close_account(**RIGHT)

    await site.closing.wait_finalized()
    assert answer.status_code == 303
    assert asked == [(1, None, False), (1, None, True)]  # the page reads, the closing has locked


async def test_the_socket_refuses_too(site, browser, ada):
    site.asked_under_the_lock(lambda *_: [HERBS])

    async with live(browser) as socket:
        answer = await socket.ask("anonymize", RIGHT)

    assert answer["status"] == "refused"
    assert "what you need to do first" in answer["message"]
    assert site.is_open(ada)


@pytest.mark.parametrize("href", ["javascript:alert(1)", "//evil.example", "http://x", "", "x"])
def test_a_blocker_leads_nowhere_hostile(href):
    with pytest.raises(BlockerError, match="not a path on this site"):
        Blocker("text", href)


@pytest.mark.parametrize("href", ["/a", "https://x.example/", "mailto:help@x.example"])
def test_a_blocker_may_lead_to_a_contact(href):
    """pitfalls P-93: who is blocked gets a way to ask."""
    assert Blocker("text", href).href == href


@pytest.mark.parametrize(
    ("texts", "code", "said"),
    [
        ({"en": "Settle it.", "de": "Klären Sie es."}, "de", "Klären Sie es."),
        ({"en": "Settle it.", "de": "Klären Sie es."}, "fr", "Settle it."),
        ({"en": "Settle it.", "de": "Klären Sie es."}, "de-at", "Klären Sie es."),
        ({"en": "Settle it.", "de": "Klären Sie es.", "de-at": "Passt."}, "de-at", "Passt."),
        ({"de": "Klären Sie es."}, "en", "Klären Sie es."),
        ("Settle it.", "de", "Settle it."),
    ],
)
def test_a_blocker_speaks_the_language_of_the_page_as_far_as_it_can(texts, code, said):
    assert Blocker(texts, "/a").in_language(code) == {"text": said, "href": "/a"}


def test_a_blocker_without_a_text_is_refused():
    with pytest.raises(BlockerError, match="in at least one language"):
        Blocker({}, "/a")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (None, "NoneType"),
        (False, "bool"),
        ("", "str"),
        (["You are the last organizer of ada@example.org."], "str"),
        (HERBS, "Blocker"),
        ({"text": "Settle this.", "href": "/groups/7"}, "dict"),
        ((each for each in (HERBS, ("Settle this.", "/groups/7"))), "tuple"),
    ],
)
async def test_what_is_no_blocker_closes_nothing_and_the_log_names_its_type(
    build, caplog, found, kind
):
    """A function that gives None has forgotten to return: nothing blocks says an empty list."""
    site, browser = await build(blockers=lambda *_: found)

    page = await browser.get(CLOSE)

    assert page.status_code == 503
    assert "E609 BlockerTypeError\n" in caplog.text
    assert f"(BLOCKERS, or blockers=) returned a value of type {kind} instead" in caplog.text
    assert "ada@" not in caplog.text
    assert site.is_open(1)


async def test_under_the_lock_what_is_no_blocker_closes_nothing_either(site, browser, ada, caplog):
    site.asked_under_the_lock(lambda *_: None)

    answer = await browser.close_account(**RIGHT)

    assert answer.status_code == 503
    assert "returned a value of type NoneType instead" in caplog.text
    assert site.is_open(ada)


async def test_a_question_that_fails_closes_nothing_and_says_nothing(build, caplog):
    def fail(*_):
        raise LookupError("ada@example.org")

    site, browser = await build(blockers=fail)
    settings = await browser.get("/settings")
    page = await browser.get(CLOSE)

    assert (settings.status_code, page.status_code) == (200, 503)
    assert "<form" not in settings.text
    assert f'href="{CLOSE}"' in settings.text
    assert "ada@" not in caplog.text
    assert site.is_open(1)
