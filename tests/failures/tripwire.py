"""A driver that trips at one of its statements: the failure comes from where failures come from."""

import sqlite3
from contextlib import contextmanager

import psycopg
from sqlalchemy import create_engine, event

SECRET = "ada@example.org Ada Lovelace"  # what a driver might quote
FAILURES = {
    "sqlite": sqlite3.OperationalError(f"disk I/O error near {SECRET}"),
    "postgresql": psycopg.OperationalError(f"could not write: DETAIL: ({SECRET})"),
}


class Tripwire:
    """Counts the statements that reach the driver, and fails or pauses at one of them."""

    def __init__(self):
        """Count nothing yet."""
        self.count, self.at, self.act, self.armed = 0, None, None, False

    def step(self):
        """Note that the driver is about to run a statement."""
        if not self.armed:
            return
        self.count += 1
        if self.count == self.at:
            self.act()

    @contextmanager
    def set(self, at=None, act=None):
        """Count from here on, and do *act* at that statement."""
        self.count, self.at, self.act, self.armed = 0, at, act, True
        try:
            yield self
        finally:
            self.armed = False

    def fail(self, dialect):
        """Return the act of failing as the driver of *dialect* does, quoting a row."""

        def act():
            raise FAILURES[dialect]

        return act


def wired(url, wire, **options):
    """Return an engine over *url* whose every statement passes *wire* first."""
    factories = {"sqlite": _sqlite, "postgresql": _postgresql}
    arguments = factories[url.get_backend_name()](wire)
    engine = create_engine(url, connect_args={**arguments, **options})
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _(connection, _record):
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _sqlite(wire):
    tripping = _tripping(sqlite3.Cursor, wire)

    class Connection(sqlite3.Connection):
        def cursor(self, factory=tripping):
            return super().cursor(factory)

    return {"factory": Connection}


def _postgresql(wire):
    return {"cursor_factory": _tripping(psycopg.Cursor, wire)}


def _tripping(cursor, wire):
    class Cursor(cursor):
        def execute(self, *arguments, **options):
            wire.step()
            return super().execute(*arguments, **options)

        def executemany(self, *arguments, **options):
            wire.step()
            return super().executemany(*arguments, **options)

    return Cursor
