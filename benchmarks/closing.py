"""One closing against hand-written SQL, and how many statements it takes."""

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks import byhand, people
from benchmarks.measure import Measure, within
from efface import Eraser

ROUNDS = 300
WARM_UP = 20
TABLES = 6
ALLOWED = 2.0
LONGEST_BEAT = 0.008

# What of a closed account must be equal, whoever closed it.
EFFECT = (
    """SELECT email LIKE 'anonymized-%@users.invalid', name, hashed_password, confirmed_at,
    deleted_at IS NOT NULL FROM users WHERE id = ?""",
    "SELECT count(*) FROM users_tokens WHERE user_id = ?",
    "SELECT count(*) FROM plots WHERE holder_id = ?",
    "SELECT title, body FROM posts WHERE author_id = ? ORDER BY id",
    "SELECT count(note) FROM orders WHERE user_id = ?",
    """SELECT count(*), sum(total_cents) FROM invoices JOIN orders ON orders.id = order_id
    WHERE user_id = ?""",
)


class DifferentEffectError(Exception):
    """The two sides did not do the same, so comparing their times says nothing."""


def against_hand_written() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.db"
        engine, eraser = people.create(path)
        keys = people.settle_in(path, people.FIFTY, 2 * (ROUNDS + WARM_UP))
        sessions = people.sessions_of(engine)
        connection = people.connect(path)

        def efface(key: int) -> None:
            with sessions.begin() as session:
                eraser.close_account(session, key, actor="benchmark")

        def by_hand(key: int) -> None:
            secret = people.KEY.encode()
            byhand.close_account(connection, key, secret=secret, actor="benchmark")

        times = interleaved(keys, efface, by_hand)
        ours, theirs = (median(each) * 1000 for each in times)
        if effect(connection, keys[-1]) != effect(connection, keys[-2]):
            raise DifferentEffectError
        connection.close()
        engine.dispose()
    yield Measure(
        f"closing one person, {people.FIFTY.rows} rows in {TABLES} tables, to hand-written SQL",
        ours / theirs,
        ALLOWED,
        f"{ours:.2f} to {theirs:.2f} ms",
    )


def interleaved(keys: list[int], *sides: Callable[[int], None]) -> tuple[list[float], ...]:
    """Give each side a fresh person per round, in alternating order, and time it."""
    times: tuple[list[float], ...] = tuple([] for _ in sides)
    waiting = iter(keys)
    for number in range(len(keys) // len(sides)):
        order = list(enumerate(sides))
        for which, side in order if number % 2 else reversed(order):
            key = next(waiting)
            _wait_at_random()
            start = perf_counter()
            side(key)
            taken = perf_counter() - start
            if number >= WARM_UP:
                times[which].append(taken)
    return times


def _wait_at_random() -> None:
    """Come at no particular moment, as people do.

    Some disks end a write on a beat, as of 4 ms. A closing that began when the last one ended
    would take one beat or two, and ratios would say 1.0 or 2.0, whatever had been done in between.
    """
    ends = perf_counter() + random.uniform(0, LONGEST_BEAT)
    while perf_counter() < ends:
        pass


def effect(connection: sqlite3.Connection, key: int) -> list[list[tuple]]:
    """Return everything that a closing leaves of a person."""
    return [connection.execute(query, (key,)).fetchall() for query in EFFECT]


# ---------------------------------------------------------------- the number of statements


class CountingCursor(sqlite3.Cursor):
    """Counts what it is told to run; a call with many rows of values is one."""

    def execute(self, *arguments: object) -> sqlite3.Cursor:
        """Count, and run."""
        self.connection.statements += 1
        return super().execute(*arguments)

    def executemany(self, *arguments: object) -> sqlite3.Cursor:
        """Count once, and run."""
        self.connection.statements += 1
        return super().executemany(*arguments)


class CountingConnection(sqlite3.Connection):
    """Gives out counting cursors."""

    statements = 0

    def cursor(self, factory: type[sqlite3.Cursor] = CountingCursor) -> sqlite3.Cursor:
        """Return a cursor that counts."""
        return super().cursor(factory)


def statements() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "garden.db"
        people.create(path)[0].dispose()
        (first,) = people.settle_in(path, people.FIFTY, 1)
        few, many = (
            people.settle_in(path, shape, 1, first=key)[0]
            for shape, key in zip((people.FIFTY, people.TWO_THOUSAND), count(first + 1))
        )
        connection = sqlite3.connect(path, factory=CountingConnection, check_same_thread=False)
        engine = create_engine("sqlite://", creator=lambda: connection)
        eraser = Eraser(people.policy, secret=people.KEY)
        # Once per process an eraser looks whether its tables are there.
        sent(engine, connection, eraser, first)
        for_few, for_many = (sent(engine, connection, eraser, key) for key in (few, many))
        engine.dispose()
    rows = f"{people.FIFTY.rows} rows or {people.TWO_THOUSAND.rows:,}"
    yield within(
        f"statements of a closing, {rows}",
        max(for_few, for_many),
        2 * TABLES + 6,
        f"({for_few} and {for_many})",
    )


def sent(engine: object, connection: CountingConnection, eraser: Eraser, key: int) -> int:
    """Return how many statements reached the driver for one closing."""
    before = connection.statements
    with Session(engine) as session, session.begin():
        eraser.close_account(session, key, actor="benchmark")
    return connection.statements - before
