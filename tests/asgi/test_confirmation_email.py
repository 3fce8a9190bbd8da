"""The hook for the mail of farewell: asked before the erasure, called once after the commit."""

import gc
import weakref

import httpx
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

from efface.asgi import Blocker, ConfirmationEmail
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Site, User

pytestmark = pytest.mark.anyio

RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
ADA = "ada@example.org"


class Post:
    """What a site writes to send the mail."""

    def __init__(self):
        self.sent = []

    def farewell(self, session, key):
        address = session.scalar(select(User.email).where(User.id == key))
        return lambda farewell: self.sent.append((address, farewell))


@pytest.fixture
def post():
    return Post()


async def leave(site, key):
    """Close an account by the form and wait for all that follows."""
    over = httpx.ASGITransport(site.app)
    async with Browser(transport=over, base_url="http://site.example") as browser:
        await browser.sign_in(key)
        answer = await browser.close_account(**RIGHT)
        await site.closing.wait_finalized()
        return answer


async def test_the_address_is_taken_before_and_the_mail_goes_out_after(tmp_path, post):
    site = Site(tmp_path / "site.db", confirmation_email=post.farewell, recipients=["the printer"])
    ada = site.add(ADA, posts=1)

    await leave(site, ada)

    ((address, farewell),) = post.sent
    assert address == ADA
    assert isinstance(farewell, ConfirmationEmail)
    assert farewell.text == (
        "Your account has been deleted, and you've been logged out on all devices.\n\n"
        f"Confirmation number: {farewell.reference}\n"
        f"Deleted on: {farewell.closed_on}\n\n"
        "What we keep:\n- nothing with your data\n\n"
        "Who we'll notify:\n- the printer\n"
    )
    assert farewell.path == f"/users/settings/close/done?reference={farewell.reference}"
    assert ADA not in repr(farewell)


async def test_whoever_may_not_close_is_not_even_asked_for(tmp_path, post):
    def keys(session, key):
        return [Blocker(f"Hand over key {session.get(User, key).id}.", "/keys")]

    site = Site(tmp_path / "site.db", confirmation_email=post.farewell, blockers=keys)
    ada = site.add(ADA)

    answer = await leave(site, ada)

    assert answer.status_code == 409
    assert post.sent == []


@pytest.mark.cases("CLO-05")
async def test_a_commit_that_fails_sends_nothing(tmp_path, post):
    asked = []

    def farewell(session, key):
        asked.append(key)
        return post.farewell(session, key)

    def full(_):
        if asked:
            raise OSError("no space left on device")

    site = Site(tmp_path / "site.db", confirmation_email=farewell)
    ada = site.add(ADA)
    event.listen(site.engine, "commit", full)

    answer = await leave(site, ada)

    assert asked == [ada]
    assert answer.status_code == 503
    assert site.is_open(ada)
    assert post.sent == []


async def test_async_sessions_hand_it_a_plain_one(tmp_path, post):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/site.db", poolclass=NullPool)
    database = async_sessionmaker(engine)
    site = Site(tmp_path / "site.db", session_factory=database, confirmation_email=post.farewell)

    await leave(site, site.add(ADA))

    await engine.dispose()
    assert [address for address, _ in post.sent] == [ADA]


@pytest.mark.parametrize("statement", ["SELECT * FROM nowhere", None])
async def test_an_address_that_cannot_be_had_stops_no_closing(tmp_path, caplog, statement):
    """On some databases a statement that fails would end the transaction of the closing."""

    def farewell(session, key):
        if statement:
            session.execute(text(statement))
        raise LookupError(ADA)

    site = Site(tmp_path / "site.db", confirmation_email=farewell)
    ada = site.add(ADA)

    answer = await leave(site, ada)

    assert answer.status_code == 303
    assert not site.is_open(ada)
    assert "The confirmation email could not be prepared" in caplog.text
    assert ADA not in caplog.text


async def test_a_site_may_send_nothing_or_send_it_asynchronously(tmp_path):
    sent = []

    def farewell(session, key):
        if key != ada:
            return None

        async def send(farewell):
            sent.append(farewell.reference)

        return send

    site = Site(tmp_path / "site.db", confirmation_email=farewell)
    ada, grace = site.add(ADA), site.add("grace@example.org")

    await leave(site, ada)
    await leave(site, grace)

    assert len(sent) == 1


async def test_what_holds_the_address_is_let_go_once_the_mail_is_out(tmp_path):
    kept = []

    class Send:
        def __call__(self, farewell):
            pass

    def farewell(session, key):
        send = Send()
        kept.append(weakref.ref(send))
        return send

    site = Site(tmp_path / "site.db", confirmation_email=farewell)
    await leave(site, site.add(ADA))

    gc.collect()
    assert [reference() for reference in kept] == [None]


def test_a_hook_that_needs_a_loop_is_refused_at_the_start(tmp_path):
    async def farewell(session, key):
        return None

    with pytest.raises(TypeError, match="plain function"):
        Site(tmp_path / "site.db", confirmation_email=farewell)
