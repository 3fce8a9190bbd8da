"""The garden on FastAPI, in this process."""

import json
import re
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from argon2 import PasswordHasher
from itsdangerous import TimestampSigner
from sqlalchemy import func, select, text

from garden.accounts import tokens, users
from garden.accounts.passwords import Passwords
from garden.app import create_app
from garden.mail import Mailbox
from garden.models import Base
from garden.server import bind, serving
from garden.settings import Settings
from tests import databases
from tests.gardening.browser import PASSWORD, Browser

SECRET = "a secret for tests and nothing else"
TABLES = tuple(table.name for table in Base.metadata.sorted_tables)


def dangles(key):
    """Return the condition of rows whose reference leads nowhere."""
    target = key.column.table.alias()
    there = select(target.c[key.column.name]).where(target.c[key.column.name] == key.parent)
    return key.parent.is_not(None) & ~there.exists()


class Clock:
    """The time, which passes when a test says so."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


class CountingHasher(PasswordHasher):
    """Argon2, as cheap as it gets, which counts what it does."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.calls = 0

    def hash(self, password, **options):
        self.calls += 1
        return super().hash(password, **options)

    def verify(self, hash, password):  # noqa: A002  (the name in argon2)
        self.calls += 1
        return super().verify(hash, password)


class InProcess(httpx.BaseTransport):
    """Hands requests to an application in an event loop beside the test."""

    def __init__(self, app, loop):
        self._inner, self._loop = httpx.ASGITransport(app, raise_app_exceptions=False), loop

    def handle_request(self, request):
        answer = self._loop.call(self._inner.handle_async_request, request)
        content = self._loop.call(answer.aread)
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


class Garden:
    """The site with its database, mailbox and clock."""

    def __init__(self, database_url, loop, **changes):
        self.clock, self.hasher = Clock(), CountingHasher()
        settings = Settings(database_url, SECRET, **{"dev": True, **changes})
        self.mailbox = Mailbox(self.clock)
        self.app = create_app(
            settings, mailer=self.mailbox, hasher=Passwords(self.hasher), clock=self.clock
        )
        self.engine, self.sessions = self.app.state.engine, self.app.state.sessions
        self.closing, self._loop = self.app.state.closing, loop

    def browser(self, address=None):
        """Return a browser without cookies."""
        usual = "http://garden.test" if self.app.state.settings.dev else "https://garden.test"
        return Browser(address or usual, transport=InProcess(self.app, self._loop))

    def member(self, email="ada@garden.example", *, confirmed=True, **attributes):
        """Return the key of a new member."""
        with self.sessions.begin() as session:
            attributes = {"password": PASSWORD, **attributes}
            user = users.register_user(session, email=email, **attributes)
            user.confirmed_at = self.clock() if confirmed else None
        return user.id

    def signed_in(self, email="ada@garden.example", **fields):
        """Return a browser in which a member is logged in."""
        browser = self.browser()
        answer = browser.log_in(email, **fields)
        assert answer.status_code == 303, browser.notice
        return browser

    def token(self, user_id, context, sent_to=None):
        """Return the secret of a new token."""
        with self.sessions.begin() as session:
            user = users.get_user(session, user_id)
            address = sent_to or user.email
            if context == tokens.SESSION:
                return tokens.generate_user_session_token(session, user)
            return tokens.generate_token(session, user, context, address)

    def close(self, user_id):
        """Close an account, past the web."""
        with self.sessions.begin() as session:
            return users.anonymize_user(session, user_id, actor="a test")

    def session_cookie(self, **session):
        """Return a session cookie as the site signs it."""
        data = b64encode(json.dumps(session).encode())
        return TimestampSigner(SECRET).sign(data).decode()

    def link(self, email="ada@garden.example"):
        """Return the path in the latest mail to an address."""
        return re.search(r"http://[^/]+(/\S+)", self.mailbox.to(email)[-1].text)[1]

    def row(self, user_id):
        """Return a member's row as the database has it."""
        (row,) = self.rows("SELECT * FROM users WHERE id = :id", id=user_id)
        return row

    def rows(self, query, **values):
        """Return rows past everything that hides some."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def count(self, table):
        """Return the number of rows in a table."""
        return len(self.rows(f"SELECT 1 FROM {table}"))

    def everything(self):
        """Return every row of every table of the site."""
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}

    def refuse(self, verb, table):
        """Make the database refuse a verb on a table."""
        databases.refuse(self.engine, table, verb)

    def execute(self, statement, **values):
        """Change something past the site, as an operator or a restored backup would."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def broken_references(self):
        """Return the columns with a reference to a row that is not there."""
        with self.engine.connect() as connection:
            return [
                f"{key.parent.table}.{key.parent.name}"
                for one in Base.metadata.sorted_tables
                for key in one.foreign_keys
                if connection.scalar(select(func.count()).where(dangles(key)))
            ]

    def settled(self):
        """Wait until what follows a closing is done."""
        self._loop.call(self.closing.settled)

    @contextmanager
    def served(self):
        """Serve it for real, and give a maker of browsers."""
        socket = bind("127.0.0.1", 0)
        address = f"http://127.0.0.1:{socket.getsockname()[1]}"
        with serving(self.app, socket), ExitStack() as windows:
            yield lambda: windows.enter_context(Browser(address))
