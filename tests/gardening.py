"""A running garden for tests, and browsers that carry cookies and tokens as real ones do.

The fixtures are known everywhere through `conftest.py`. Each test runs on SQLite, and once more,
marked slow, on PostgreSQL.

def test_something(garden):
    ada = garden.member("ada@garden.example", name="Ada Lovelace")
    browser = garden.signed_in("ada@garden.example")
    answer = browser.submit("/users/settings/close", current_password=PASSWORD, confirm="yes")
"""

import json
import re
import shutil
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count
from urllib.parse import quote

import anyio.from_thread
import httpx
import pytest
from argon2 import PasswordHasher
from itsdangerous import TimestampSigner
from sqlalchemy import func, select, text
from websockets.sync.client import connect

from garden.accounts import tokens, users
from garden.accounts.passwords import Passwords
from garden.accounts.sessions import REMEMBER_ME
from garden.app import create_app
from garden.database import open_engine
from garden.demo import upgrade
from garden.mail import Mailbox
from garden.models import Base
from garden.server import bind, serving
from garden.settings import Settings
from tests import databases

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
PASSWORD = "runner beans and peas"
SECRET = "a secret for tests and nothing else"
META = re.compile(r'<meta name="csrf-token" content="([^"]+)">')
NOTICE = re.compile(r'<p class="notice[^>]*>(.*?)</p>', re.DOTALL)
ERROR = re.compile(r'<span class="field-error" id="([\w-]+)-error">(.*?)</span>')
TABLES = tuple(table.name for table in Base.metadata.sorted_tables)


def alike(answer):
    """Return everything of an answer that anybody can compare."""
    volatile = {"set-cookie", "date"}
    headers = {name: value for name, value in answer.headers.items() if name not in volatile}
    return answer.status_code, headers, len(answer.content)


def dangles(key):
    """Return the condition of rows whose reference leads nowhere."""
    target = key.column.table.alias()
    there = select(target.c[key.column.name]).where(target.c[key.column.name] == key.parent)
    return key.parent.is_not(None) & ~there.exists()


def migrate(url):
    """Make the tables."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


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


class Browser(httpx.Client):
    """A browser: it keeps cookies, follows redirects by GET, and sends the token of its page."""

    def __init__(self, address="http://garden.test", **options):
        super().__init__(base_url=address, timeout=10, **options)
        self.address = address
        self.page = ""

    def open(self, path):
        """Open a page and return the first answer; where it redirects, go there too."""
        return self._arrive(self.get(path))

    def submit(self, path, *, method="POST", **fields):
        """Send a form from the page that is open, or from a fresh start page."""
        if not self.token:
            self.open("/")
        data = {"_csrf_token": self.token, **fields}
        return self._arrive(self.request(method, path, data=data))

    def script(self, method, path, **options):
        """Send a request as a script of the page does, with the token in the header."""
        if not self.token:
            self.open("/")
        headers = {"X-CSRF-Token": self.token, "Accept": "application/json"}
        return self.request(method, path, headers=headers, **options)

    def log_in(self, email, password=PASSWORD, **fields):
        """Log in through the form."""
        self.open("/users/log_in")
        return self.submit("/users/log_in", email=email, password=password, **fields)

    @property
    def token(self):
        """The token in the meta tag of the page."""
        found = META.search(self.page)
        return found[1] if found else ""

    @property
    def notice(self):
        """What the page tells at its top."""
        return " ".join(unescape(found) for found in NOTICE.findall(self.page))

    @property
    def errors(self):
        """The errors beside the fields of the page."""
        return {field: unescape(error) for field, error in ERROR.findall(self.page)}

    @property
    def is_signed_in(self):
        """Whether the pages offer this browser to log out."""
        return 'action="/users/log_out"' in self.get("/members").text

    @property
    def remembers(self):
        """Whether it holds a remember-me cookie."""
        return REMEMBER_ME in self.cookies

    def copy(self):
        """Return a browser with the same cookies, as a thief would have it."""
        other = Browser(self.address, transport=self._transport)
        other.cookies.update(self.cookies)
        other.page = self.page
        return other

    @contextmanager
    def socket(self, **changes):
        """Open the live socket of the page that is open."""
        origin = changes.get("origin", self.address)
        token = quote(changes.get("token", self.token))
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = f"{self.address.replace('http', 'ws', 1)}/live?_csrf_token={token}"
        with connect(address, origin=origin, additional_headers={"Cookie": cookies}) as wire:
            yield Socket(wire)

    def _arrive(self, answer):
        self.page = answer.text
        followed = answer
        while followed.is_redirect:
            followed = self.get(followed.headers["location"])
            self.page = followed.text
        return answer


class Socket:
    """A live socket, as the page's script uses it."""

    def __init__(self, wire):
        self.wire = wire
        self._serial = 0

    def push(self, event, **payload):
        """Send an event and return its ack."""
        self._serial += 1
        message = {"id": self._serial, "event": event, "payload": payload}
        self.wire.send(json.dumps(message))
        return self.hear()

    def hear(self):
        """Return the next message."""
        return json.loads(self.wire.recv(10))


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


@pytest.fixture(scope="session")
def loop():
    """An event loop beside the tests."""
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory):
    """A database with the tables the migrations make, and nothing in them."""
    path = tmp_path_factory.mktemp("garden") / "blank.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(server_urls):
    """The same on PostgreSQL; a copy of it is made faster than tables are."""
    url = server_urls["postgresql"]
    with databases.database_on(url, f"{url.database}_blank") as blank:
        migrate(blank.render_as_string(hide_password=False))
        yield blank


@pytest.fixture(params=KINDS)
def new_database(request, tmp_path):
    """A maker of databases: each call gives the URL of one with all tables and no rows."""
    numbers = count()
    if request.param == "sqlite":
        blank = request.getfixturevalue("blank_database")

        def copy():
            path = tmp_path / f"garden-{next(numbers)}.db"
            shutil.copy(blank, path)
            return f"sqlite:///{path}"

        yield copy
        return
    template = request.getfixturevalue("postgresql_template")
    with ExitStack() as opened:

        def copy_template():
            name = f"{template.database}_{next(numbers)}"
            url = opened.enter_context(
                databases.database_on(template, name, template=template.database)
            )
            return url.render_as_string(hide_password=False)

        yield copy_template


@pytest.fixture
def open_garden(new_database, loop):
    """A maker of gardens, for tests that change a setting."""
    opened = []

    def open_garden(**changes):
        opened.append(Garden(new_database(), loop, **changes))
        return opened[-1]

    yield open_garden
    for garden in opened:
        garden.settled()
        garden.engine.dispose()


@pytest.fixture
def garden(open_garden):
    """A garden without members, on a developer's machine."""
    return open_garden()
