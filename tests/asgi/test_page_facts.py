"""What the page says and asks for: consequences, and the proof that it is them."""

import dataclasses

import pytest
from sqlalchemy import MetaData, text

from efface.asgi import TooManyAttemptsError
from efface.eraser.eraser import Eraser
from efface.page.consequences import PolicyTexts, labels_in
from efface.page.translations import languages
from efface.policy.actions import Basis, Clear, Delete, Placeholder, Retain
from efface.policy.declarations import data_subject, on_close, personal
from efface.policy.policy import Policy
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Base, Site
from tests.asgi.sockets import live

pytestmark = pytest.mark.anyio

CLOSE = "/users/settings/close"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}


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
