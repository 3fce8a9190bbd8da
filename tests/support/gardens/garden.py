"""What a garden can do, whichever framework serves it: browsers, and its database read directly."""

import re
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier
from unittest.mock import patch

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from efface import Eraser
from garden.mailer import Mailbox
from garden.models import Base, policy
from tests.support import databases
from tests.support.gardens.browser import Browser

SECRET = "a secret for tests and nothing else"
TABLES = tuple(table.name for table in Base.metadata.sorted_tables)


class Clock:
    """The time, which passes when a test says so."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


class Unreachable(Mailbox):
    """A mail server that quotes the address it could not reach."""

    def deliver(self, to, subject, text):
        raise OSError(f"550 no route to {to}: {subject} {text}")


@contextmanager
def looking_together(module, name, number):
    """Let the first so many calls of a function of a module return together."""
    all_have_looked, look, calls = Barrier(number), getattr(module, name), count()

    def wait(*args, **fields):
        found = look(*args, **fields)
        if next(calls) < number:
            all_have_looked.wait(10)
        return found

    with patch.object(module, name, wait):
        yield


WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def is_write(statement):
    """Return whether SQLite lets a statement wait for another transaction that writes."""
    return not statement.lstrip().upper().startswith("SELECT")


def dangles(key):
    """Return the condition of rows whose reference leads nowhere."""
    target = key.column.table.alias()
    there = select(target.c[key.column.name]).where(target.c[key.column.name] == key.parent)
    return key.parent.is_not(None) & ~there.exists()


class Garden:
    """The site with its database, mailbox and clock.

    `settings` are those of the garden, `transport` leads browsers to it. What the site has to do
    itself, such as making a token, each kind of garden does in its own way: see `on_fastapi`.
    """

    def __init__(self, settings, engine, *, clock, transport):
        self.settings, self.engine, self.clock = settings, engine, clock
        self._transport = transport

    def dispose(self):
        """Wait for what is under way, and let go of the database."""
        self.finalized()
        self.engine.dispose()

    # ---------------------------------------------------------------- browsers

    def browser(self, address=None):
        """Return a browser without cookies."""
        usual = "http://garden.test" if self.settings.dev else "https://garden.test"
        return Browser(address or usual, transport=self._transport)

    def signed_in(self, email="ada@garden.example", **fields):
        """Return a browser in which a member is logged in."""
        browser = self.browser()
        answer = browser.log_in(email, **fields)
        assert answer.status_code == 303, browser.notice
        return browser

    def link(self, email="ada@garden.example"):
        """Return the path in the latest mail to an address."""
        return re.search(r"http://[^/]+(/\S+)", self.mailbox.to(email)[-1].text)[1]

    # ---------------------------------------------------------------- the database, past the site

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

    def add(self, *rows):
        """Write rows of `garden.models`; they know their keys afterwards."""
        with Session(self.engine, expire_on_commit=False) as session:
            session.add_all(rows)
            session.commit()

    def execute(self, statement, **values):
        """Change something, as an operator or a restored backup would."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def close_elsewhere(self, user_id):
        """Close an account as another program does, which tells the site nothing."""
        eraser = Eraser(policy, secret=self.settings.efface_secret, clock=self.clock)
        with self.engine.begin() as connection:
            return eraser.close_account(connection, user_id, actor="another program")

    def during(self, transaction, *works):
        """Do *works* at once in the middle of a *transaction*; return what comes of them.

        It is called with a connection, and with a function to begin them, which returns when
        each of them waits. PostgreSQL knows who does; on SQLite, whoever sends a write.
        """
        begun = []

        def begin():
            before = self.writes
            begun.extend(beside.submit(work) for work in works)
            while self._waiting(before) + sum(one.done() for one in begun) < len(works):
                wait(begun, timeout=0.01)

        with ThreadPoolExecutor(len(works)) as beside:
            with self.engine.begin() as connection:
                transaction(connection, begin)
            return [one.result() for one in begun]

    def while_closing(self, user_id, work):
        """Do *work* while another program closes an account and has no more than locked it."""
        eraser = Eraser(policy, secret=self.settings.efface_secret, clock=self.clock)

        def close(connection, begin):
            def without_objection(*_):
                begin()
                return []

            eraser.close_account(connection, user_id, actor="them", blockers=without_objection)

        (result,) = self.during(close, work)
        return result

    def _waiting(self, before):
        if self.engine.dialect.name == "sqlite":
            return self.writes - before
        # What the server says of the others stays the same within a transaction.
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
            return watcher.scalar(WAITING)

    def refuse(self, verb, table):
        """Make the database refuse a verb on a table."""
        databases.refuse(self.engine, table, verb)

    def broken_references(self):
        """Return the columns with a reference to a row that is not there."""
        with self.engine.connect() as connection:
            return [
                f"{key.parent.table}.{key.parent.name}"
                for one in Base.metadata.sorted_tables
                for key in one.foreign_keys
                if connection.scalar(select(func.count()).where(dangles(key)))
            ]
