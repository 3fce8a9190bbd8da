"""The guide to the closing page: its code makes an application, and what it says is so there."""

import inspect
import re

import httpx
import pytest

from efface.asgi import AccountClosing
from tests.support.paths import DOCS
from tests.test_docs import Written, at, blocks

GUIDE = DOCS / "how-to" / "closing-page.md"
# What the reader of the guide has already: models, an eraser, and a login.
MODELS = """# myapp/models.py
from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool

from efface import Basis, Clear, Delete, Placeholder, Policy, Retain, Revoke
from efface import data_subject, on_close, personal


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    __table_args__ = (data_subject(identifiers=["email"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(personal(Placeholder.email()), unique=True)
    password: Mapped[str | None] = mapped_column(personal(Clear()))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class UserToken(Base):
    __tablename__ = "users_tokens"
    __table_args__ = (on_close(Revoke(), via="user_id"),)

    token: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


class Organizer(Base):
    __tablename__ = "organizers"
    __table_args__ = (on_close(Delete(), via="user_id"),)

    group: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


class Invoice(Base):
    __tablename__ = "invoices"
    __table_args__ = (
        on_close(
            Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, reason="tax law"), via="user_id"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    billed_to: Mapped[str]


policy = Policy.from_metadata(Base.metadata)
engine = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
Session = sessionmaker(engine)
"""
ACCOUNTS = """# myapp/accounts.py
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from efface import Eraser
from myapp.models import Base, Session, engine, policy

Base.metadata.create_all(engine)
eraser = Eraser(policy, secret="a secret of at least 16 bytes")
eraser.create_tables(engine)


async def log_in(request):
    request.session["token"] = request.query_params["token"]
    request.session["logged_in_recently"] = request.query_params["recently"] == "yes"
    return PlainTextResponse("Welcome.")


routes = [Route("/log_in", log_in)]
"""
CLOSE = "/account/close"
SENT = {"current_password": "beans and peas", "confirm": "yes"}
ADDRESSES = ("ada@example.org", "grace@example.org")


class Site:
    """The application of the guide, with two users; Ada organizes a group."""

    def __init__(self, written):
        self.models, self.settings = (
            written.modules[f"myapp.{name}"] for name in ("models", "closing")
        )
        self.app, self.closing = (
            getattr(written.modules["myapp.app"], name) for name in ("app", "closing")
        )
        models, (ada, grace) = self.models, ADDRESSES
        with models.Session.begin() as session:
            session.add(models.User(id=1, email=ada, password="hash of beans and peas"))
            session.add(models.User(id=2, email=grace, password=None))
            session.flush()
            session.add(models.UserToken(token="ada's phone", user_id=1))
            session.add(models.UserToken(token="grace's laptop", user_id=2))
            session.add(models.Organizer(group="herbs", user_id=1))
            session.add(models.Invoice(user_id=1, billed_to="Ada"))

    def client(self, **headers):
        """A program or a browser that sends these headers."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(
            transport=transport, base_url="https://myapp.example", headers=headers
        )

    def phone(self, token="ada's phone"):
        """A mobile application with a bearer token."""
        return self.client(Authorization=f"Bearer {token}", Accept="application/json")

    async def post(self, client, **changed):
        """Ask to close the account, with some of the fields *changed*."""
        answer = await client.post(CLOSE, json={**SENT, **changed})
        await self.closing.wait_finalized()
        return answer

    def hand_over(self):
        """Do what the blocker asks for."""
        with self.models.Session.begin() as session:
            session.delete(session.get(self.models.Organizer, "herbs"))


@pytest.fixture
def site(tmp_path):
    """The code of the guide, in the order of the page."""
    with at(tmp_path) as monkeypatch:
        written = Written(tmp_path, monkeypatch, "myapp")
        guide = [code for language, code in blocks(GUIDE) if language == "python"]
        for code in (MODELS, ACCOUNTS, *guide):
            assert written.python(code) == ""
        yield Site(written)
        written.modules["myapp.models"].engine.dispose()


def keys_in(heading):
    """What the first column of the tables under a heading names."""
    text = GUIDE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (?:\d+ \| )?`(\w+)` \|", text, re.MULTILINE)


def token_in(page):
    """The token for scripts."""
    return page.split('name="csrf-token" content="')[1].split('"')[0]


def test_the_table_of_settings_names_every_argument():
    arguments = [*inspect.signature(AccountClosing).parameters]

    assert sorted(keys_in("Settings of `AccountClosing`")) == sorted(arguments[1:])


def test_a_program_reads_the_keys_and_closes_the_account(site, loop):
    async def story():
        async with site.phone() as phone:
            facts = (await phone.get(CLOSE)).json()
            site.hand_over()
            return facts, await site.post(phone)

    facts, closed = loop.call(story)

    named = keys_in("Call it as a JSON API")
    assert [name for name in named if name in facts] == [*facts]
    assert facts["deleted"] == [
        "Logins and access: logins (1)",
        "groups you organize (1)",
        "your account: email, password",
    ]
    assert facts["proof"] == "password"
    assert facts["blockers"] == [{"text": "Hand over the group herbs.", "href": "/groups/herbs"}]
    assert closed.status_code == 200
    answer = closed.json()
    assert answer["status"] == "closed"
    assert answer["notified"] == ["the printer of our newsletter"]
    for name in answer:
        assert f"`{name}`" in GUIDE.read_text()
    (address, subject, text), *others = site.settings.outbox
    assert others == []
    assert (address, subject) == (ADDRESSES[0], "Your account has been deleted")
    assert "invoices until" in text
    assert answer["reference"] in text


def test_a_program_is_told_why_it_was_refused(site, loop):
    refused = {}

    async def story():
        async with site.phone() as phone, site.phone("a guess") as forger:
            answers = [await site.post(phone), await site.post(forger)]
            site.hand_over()
            answers += [
                await site.post(phone, current_password="wrong"),
                await site.post(phone, confirm="no"),
                await phone.post(CLOSE, content=b"{", headers={"Content-Type": "application/json"}),
                await phone.post(CLOSE, json={**SENT, "filler": "x" * 2_000_000}),
            ]
        async with site.client(Accept="application/json") as visitor:
            answers.append(await visitor.get(CLOSE))
            await visitor.get("/log_in", params={"token": "grace's laptop", "recently": "no"})
            token = (await visitor.get(CLOSE)).json()["csrf_token"]
            headers = {"X-CSRF-Token": token}
            answers.append(await visitor.post(CLOSE, json=SENT, headers=headers))
        refused.update({each.json()["error"]: each.status_code for each in answers})

    loop.call(story)

    said = {
        name: int(status)
        for status, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", GUIDE.read_text(), re.MULTILINE)
    }
    # What only a limit of the application, or a database that fails, brings about.
    assert said.pop("limited") == 429
    assert said.pop("failed") == 503
    assert refused == said


def test_a_browser_without_a_password_closes_the_account_in_german(site, loop):
    async def story():
        async with site.client() as browser:
            await browser.get("/log_in", params={"token": "grace's laptop", "recently": "yes"})
            browser.cookies.set("language", "de")
            page = (await browser.get(CLOSE)).text
            form = {"_csrf_token": token_in(page), "confirm": "yes"}
            done = await browser.post(CLOSE, data=form)
            await site.closing.wait_finalized()
        async with site.client(**{"Accept-Language": "de"}) as visitor:
            return page, done, (await visitor.get(done.headers["location"])).text

    page, done, goodbye = loop.call(story)

    assert "<header>My app</header>" in page
    assert "Aktuelles Passwort" not in page
    assert "Anmeldungen (1)" in page
    assert done.status_code == 303
    assert done.headers["location"].startswith("/account/close/done?reference=")
    assert "Ihr Konto wurde gelöscht" in goodbye
    assert "grace" not in goodbye
    (email,) = site.settings.outbox
    assert email[:2] == (ADDRESSES[1], "Ihr Konto wurde gelöscht")
