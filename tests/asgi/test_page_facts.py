"""What the page says and asks for: consequences, blockers, and the proof that it is them."""

import dataclasses

import pytest
from sqlalchemy import MetaData, select, text

from efface.asgi import Blocker, TooManyAttemptsError
from efface.eraser.eraser import Eraser
from efface.page.consequences import PolicyTexts, labels_in
from efface.page.translations import languages
from efface.policy.actions import Basis, Clear, Delete, Placeholder, Retain
from efface.policy.declarations import data_subject, on_close, personal
from efface.policy.policy import Policy
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Base, Site, User
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

CLOSE = "/users/settings/close"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
DISABLED = ' disabled aria-describedby="efface-blockers">Delete account</button>'
HERBS = Blocker("You are the last organizer of Herbs.", "/groups/7")


@pytest.fixture
def build(tmp_path, open_browser):
    """A maker of sites with other settings, and of Ada's browser there."""
    built = []

    async def build(**settings):
        site = Site(tmp_path / f"site-{len(built)}.db", **settings)
        built.append(site)
        ada = site.add("ada@example.org", posts=3)
        return site, await open_browser(site.app).sign_in(ada)

    yield build
    for site in built:
        site.engine.dispose()


def said_of(policy, steps=(), words=None, **options):
    return PolicyTexts(policy, words or {}, languages()["en"], **options).consequences(steps)


# ---------------------------------------------------------------- consequences


def a_policy(*invoice, email=None):
    metadata = MetaData()
    for name in ("users", "users_tokens", "posts"):
        Base.metadata.tables[name].to_metadata(metadata)
    users, posts = metadata.tables["users"], metadata.tables["posts"]
    if email is not None:
        users.info.clear()
        users.c.email.info.clear()
        data_subject(identifiers=["email"])._set_parent(users)
        email._set_parent(users.c.email)
    if invoice:
        posts.info.clear()
        posts.c.body.info.clear()
        on_close(*invoice, via="author_id")._set_parent(posts)
    return Policy.from_metadata(metadata)


@pytest.mark.parametrize(
    ("action", "goes", "stays"),
    [
        ((Delete(),), "posts (3)", None),
        (
            (Retain("P10Y", Basis.LEGAL_OBLIGATION, "tax law"),),
            None,
            (
                "posts (3) until at least November 24, 2036, "
                "because the law requires it: the tax office"
            ),
        ),
        (
            (Retain("P1M", Basis.LEGAL_CLAIMS, "disputes"),),
            None,
            (
                "posts (3) until at least December 24, 2026, "
                "because it may be needed for legal claims: disputes"
            ),
        ),
    ],
    ids=["delete", "ten years", "one month"],
)
async def test_another_policy_is_another_text(site, ada, clock, *, action, goes, stays):
    eraser = Eraser(a_policy(*action), secret=b"k" * 32, clock=clock)
    with site.sessions() as session:
        steps = eraser.preview(session, ada)

    said = said_of(eraser.policy, steps, {"tax law": "the tax office"})

    assert (goes in said.deleted) is (goes is not None)
    assert (stays in [line.text for line in said.kept]) is (stays is not None)


@pytest.mark.parametrize(
    ("period", "start", "line"),
    [
        ("P1Y", "closing", "posts: at least one year after the account is deleted"),
        ("P1M", "closing", "posts: at least one month after the account is deleted"),
        (
            "P1Y6M1D",
            "closing",
            "posts: at least one year, 6 months, one day after the account is deleted",
        ),
        ("P2W", "closing", "posts: at least 14 days after the account is deleted"),
        (
            "P10Y",
            "calendar-year-end",
            "posts: at least 10 years after the end of the year in which the account is deleted",
        ),
        ("P30D", "sent_on", "posts: at least 30 days after the date in “sent on”"),
    ],
)
def test_a_term_is_said_without_anybodys_data(period, start, line):
    kept = Retain(period, Basis.LEGAL_OBLIGATION, "tax law", start=start)
    wording = PolicyTexts(a_policy(kept), {"tax law": "the tax office"}, languages()["en"])

    assert wording.retention_terms() == (f"{line}, because the law requires it: the tax office",)


def test_where_nothing_is_kept_no_term_is_named():
    assert PolicyTexts(a_policy(Delete()), {}, languages()["en"]).retention_terms() == ()


@pytest.fixture
def clock():
    from datetime import UTC, datetime

    return lambda: datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mark", "line"),
    [
        (personal(Placeholder.email()), "can be used for a new account."),
        (personal(Clear()), None),
        (None, "can't be used for a new account."),
    ],
)
def test_it_says_whether_the_address_becomes_free(mark, line):
    """pitfalls P-94: it follows from what the policy does to the address."""
    from efface.policy.declarations import not_personal

    policy = a_policy(email=mark or not_personal())

    names = said_of(policy, words={"users.email": "e-mail address"}).names

    assert names == ((f"Your e-mail address {line}",) if line else ())


async def test_the_page_says_who_else_is_told(build):
    _, browser = await build(recipients=["the seed merchant"])

    page = (await browser.get(CLOSE)).text

    assert "Who we'll notify" in page
    assert "the seed merchant" in page


def test_words_may_be_those_of_a_language():
    words = {"en": {"posts": "posts"}, "de": {"posts": "Beiträge"}}

    assert labels_in(lambda code: words[code], languages()["en"]) == {"posts": "posts"}
    assert labels_in(None, languages()["en"]) == {}


# ---------------------------------------------------------------- blockers


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
    with pytest.raises(ValueError, match="not a path on this site"):
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
    with pytest.raises(ValueError, match="in at least one language"):
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
    assert f"in BLOCKERS, or blockers=, gave a value of type {kind}." in caplog.text
    assert "ada@" not in caplog.text
    assert site.is_open(1)


async def test_under_the_lock_what_is_no_blocker_closes_nothing_either(site, browser, ada, caplog):
    site.asked_under_the_lock(lambda *_: None)

    answer = await browser.close_account(**RIGHT)

    assert answer.status_code == 503
    assert "gave a value of type NoneType" in caplog.text
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


# ---------------------------------------------------------------- proof


NO_PASSWORD = {"has_password": lambda *_: False}


async def test_without_a_password_a_recent_sign_in_is_enough(build):
    site, browser = await build(**NO_PASSWORD, has_recent_login=lambda _: True)

    page = (await browser.get(CLOSE)).text
    answer = await browser.close_account(confirm="yes")

    await site.closing.wait_finalized()
    assert 'name="current_password"' not in page
    assert 'name="confirm"' in page
    assert answer.status_code == 303
    assert not site.is_open(1)
    with site.engine.connect() as connection:
        actor = connection.scalar(text("SELECT actor FROM efface_closings"))
    assert actor == "self-service by form, recent login"


@pytest.mark.parametrize("recent", [False, None, "yes", 1])
async def test_without_either_the_page_leads_to_the_log_in(build, recent):
    """Only True is a recent sign-in."""
    site, browser = await build(**NO_PASSWORD, has_recent_login=lambda _: recent, login_path="/in")

    page = (await browser.get(CLOSE)).text
    answer = await browser.close_account(confirm="yes")

    assert 'href="/in?return_to=%2Fusers%2Fsettings%2Fclose"' in page
    assert "<form" not in page
    assert "What will be deleted" in page
    assert answer.status_code == 403
    assert "Log in again before you delete your account." in answer.text
    assert site.is_open(1)


@pytest.mark.cases("SUD-02", "CLO-10")
async def test_a_sign_in_that_has_aged_since_the_page_was_opened_is_refused(build):
    ages = iter([True])

    async def recently(_):
        return next(ages, False)

    site, browser = await build(**NO_PASSWORD, has_recent_login=recently)
    page = (await browser.get(CLOSE)).text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]

    answer = await browser.post(CLOSE, data={"_csrf_token": token, "confirm": "yes"})

    assert "<form" in page
    assert answer.status_code == 403
    assert site.is_open(1)


@pytest.mark.parametrize(
    "fields",
    [
        {"current_password": "ada@example.org"},
        {"name": "Ada Lovelace"},
        {"email": "ada@example.org"},
        {"confirm": "ada@example.org"},
        {"confirm": "DELETE"},
    ],
)
async def test_what_others_can_know_proves_nothing(build, fields):
    site, browser = await build()

    answer = await browser.close_account(**{"confirm": "yes"} | fields)

    assert answer.status_code == 422
    assert site.is_open(1)


async def test_who_has_a_password_is_asked_for_it_however_fresh_the_sign_in(build):
    site, browser = await build(has_password=lambda *_: True, has_recent_login=lambda _: True)

    answer = await browser.close_account(confirm="yes")

    assert answer.status_code == 422
    assert site.is_open(1)


@pytest.mark.cases("CLO-10")
async def test_the_socket_asks_for_a_recent_sign_in_too(site, address, ada):
    site.closing._finder.proofs._has_password = lambda *_: False
    site.closing._finder.proofs._has_recent_login = lambda _: False
    async with Browser(base_url=address) as browser:
        await browser.sign_in(ada)
        async with live(browser) as socket:
            stale = await socket.ask("anonymize", RIGHT, id=1)
            site.closing._finder.proofs._has_recent_login = lambda _: True
            fresh = await socket.ask("anonymize", {"confirm": "yes"}, id=2)

    assert stale["status"] == "refused"
    assert "Log in again" in stale["message"]
    assert fresh == {"ack": 2, "status": "ok"}
    assert not site.is_open(ada)


async def test_too_many_tries_are_told_to_wait(build):
    def limited(*_):
        raise TooManyAttemptsError(90)

    site, browser = await build(check_password=limited)

    answer = await browser.close_account(**RIGHT)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "90")
    assert "Too many attempts" in answer.text
    assert site.is_open(1)


def test_nobody_is_locked_in(tmp_path):
    with pytest.raises(ValueError, match="has_recent_login"):
        Site(tmp_path / "site.db", has_password=lambda *_: False)


def test_facts_are_values(site, ada):
    facts = site.closing._finder.here(None, ada)

    assert facts == dataclasses.replace(facts)
    assert facts.blockers == ()
