"""The core against hand-written SQL of the same effect: one person, many people, a big policy."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.pool import NullPool, StaticPool

from benchmarks import nine
from benchmarks.closing import interleaved
from benchmarks.measure import Measure, within
from efface import Clear, Policy, Redact, data_subject, not_personal, on_close, personal
from efface.policy.check import check
from tests.support import databases

ROUNDS = 400
PEOPLE = 1000
BATCHES = 6
STATEMENTS = 12
COUNTED = (
    "SELECT count(*) FROM users WHERE name IS NULL AND email LIKE 'anonymized-%'",
    "SELECT count(*) FROM sessions",
    "SELECT count(*) FROM comments WHERE author_name IS NULL",
    "SELECT count(*) FROM messages WHERE body = ''",
    "SELECT count(*) FROM efface_closings",
)


def one_person() -> Iterator[Measure]:
    yield from _one_on_postgresql()
    yield from _one_on_sqlite()
    yield from _above_the_driver()


def _one_on_postgresql() -> Iterator[Measure]:
    with _postgresql() as url:
        engine = _filled(create_engine(url), 2 * (ROUNDS + 20))
        with engine.connect() as connection:
            # Both sides through one connection: which core a server process runs on, near the
            # client's or not, makes more of a difference than anything measured here.
            raw: Any = connection.connection.driver_connection
            pair = nine.sides(connection, _nothing, raw.commit, raw.cursor())
            ours, theirs = _medians(range(1, 2 * (ROUNDS + 20) + 1), *pair)
            _same_effect(connection, 2 * (ROUNDS + 20))
        engine.dispose()
    yield _ratio("one person, 21 rows in 9 tables, PostgreSQL", ours, theirs, 1.5)


def _one_on_sqlite() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'nine.db'}")
        event.listen(engine, "connect", _durable)
        _filled(engine, 2 * (ROUNDS + 20))
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            pair = nine.sides(connection, _begin(raw), raw.commit, raw.cursor())
            ours, theirs = _medians(range(1, 2 * (ROUNDS + 20) + 1), *pair)
        engine.dispose()
    yield _ratio("the same, SQLite on a durable file", ours, theirs, 1.3)


def _above_the_driver() -> Iterator[Measure]:
    engine = _filled(create_engine("sqlite://", poolclass=StaticPool), 2 * (ROUNDS + 20))
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        pair = nine.sides(connection, _begin(raw), raw.commit, raw.cursor())
        ours, theirs = _medians(range(1, 2 * (ROUNDS + 20) + 1), *pair)
    engine.dispose()
    above = (ours - theirs) / STATEMENTS * 1e6
    yield within("Python above the driver, per statement, SQLite in memory", above, 40, "µs")


def many_people() -> Iterator[Measure]:
    """A batch against bare writes by row keys that were looked up beforehand, untimed."""
    with _postgresql() as url:
        engine = _filled(create_engine(url), 2 * PEOPLE * (BATCHES + 1))
        eraser = nine.eraser()
        times: tuple[list[float], list[float]] = ([], [])
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            for number in range(2 * (BATCHES + 1)):
                keys = range(number * PEOPLE + 1, (number + 1) * PEOPLE + 1)
                which = number % 2
                prepared = _known_keys(raw, keys) if which else []
                start = perf_counter()
                if which:
                    _bare_writes(raw, prepared)
                else:
                    with connection.begin():
                        eraser.close_accounts(connection, keys, actor="benchmark")
                taken = perf_counter() - start
                if number > 1:
                    times[which].append(taken)
        engine.dispose()
    yield _ratio(
        f"batch of {PEOPLE:,} people, PostgreSQL, to bare writes by known keys",
        median(times[0]),
        median(times[1]),
        1.2,
    )


def big_policy() -> Iterator[Measure]:
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(80), personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["name"]),
    )
    for number in range(179):
        Table(
            f"t{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("person_id", ForeignKey("people.id"), index=True),
            *(Column(f"c{n}", Text, personal(Clear())) for n in range(10)),
            *(Column(f"n{n}", Integer, not_personal()) for n in range(10)),
            on_close(Redact(), via="person_id"),
        )
    start = perf_counter()
    problems = check(Policy.from_metadata(metadata))
    taken = perf_counter() - start
    if problems:
        raise AssertionError(problems[0])
    yield within("check of 180 tables", taken, 2, "s")


# ---------------------------------------------------------------- by hand, many

WRITES = (
    ("sessions", "user_id", "DELETE FROM sessions WHERE id = ANY(%s)"),
    ("users", "id", "UPDATE users SET deleted_at = now() WHERE id = ANY(%s)"),
    ("addresses", "user_id", "DELETE FROM addresses WHERE id = ANY(%s)"),
    ("likes", "user_id", "DELETE FROM likes WHERE id = ANY(%s)"),
    ("posts", "user_id", "UPDATE posts SET title = '' WHERE id = ANY(%s)"),
    ("comments", "user_id", "UPDATE comments SET author_name = NULL WHERE id = ANY(%s)"),
    (
        "orders",
        "user_id",
        "UPDATE orders SET ship_name = NULL, ship_email = NULL WHERE id = ANY(%s)",
    ),
    ("events", "user_id", "UPDATE events SET payload = NULL WHERE id = ANY(%s)"),
    ("messages", "sender_id", "UPDATE messages SET body = '' WHERE id = ANY(%s)"),
    (
        "users",
        "id",
        (
            "UPDATE users SET email = 'anonymized-' || replace(gen_random_uuid()::text, '-', '')"
            " || '@users.invalid', username = 'anonymized-' ||"
            " replace(gen_random_uuid()::text, '-', ''), name = NULL, phone = NULL, password = NULL"
            " WHERE id = ANY(%s)"
        ),
    ),
)


def _known_keys(raw: psycopg.Connection[Any], keys: range) -> list[tuple[str, list[int]]]:
    prepared = []
    for table, column, write in WRITES:
        query = f"SELECT id FROM {table} WHERE {column} = ANY(%s)"  # constants
        found = [row[0] for row in raw.execute(query, (list(keys),)).fetchall()]
        prepared.append((write, found))
    raw.commit()
    return prepared


def _bare_writes(raw: psycopg.Connection[Any], prepared: list[tuple[str, list[int]]]) -> None:
    for write, keys in prepared:
        raw.execute(write.replace("%s", "%s::bigint[]"), (keys,))
    raw.commit()


# ---------------------------------------------------------------- databases


@contextmanager
def _postgresql() -> Iterator[Any]:
    with databases.server() as server, databases.database_on(server, "efface_bench") as url:
        yield url


def _filled(engine: Any, people: int) -> Any:
    nine.metadata.create_all(engine)
    nine.eraser().create_tables(engine)
    with engine.begin() as connection:
        nine.settle_in(connection, range(1, people + 1))
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "AUTOCOMMIT"}
        root = create_engine(engine.url, poolclass=NullPool, execution_options=options)
        with root.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return engine


def _durable(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(raw: sqlite3.Connection) -> Callable[[], object]:
    return lambda: raw.execute("BEGIN IMMEDIATE")


def _nothing() -> None:
    """Let the driver begin by itself."""


def _medians(keys: range, *pair: Callable[[int], None]) -> tuple[float, float]:
    ours, theirs = interleaved(list(keys), *pair)
    return median(ours), median(theirs)


def _ratio(what: str, ours: float, theirs: float, target: float) -> Measure:
    shown = f"{ours * 1000:.2f} to {theirs * 1000:.2f} ms"
    return Measure(f"{what}, to hand-written SQL", ours / theirs, target, shown)


def _same_effect(connection: Connection, people: int) -> None:
    """Make sure that both sides have done all of it, for everybody."""
    found = [connection.scalar(text(query)) for query in COUNTED]
    expected = [people, 0, 5 * people, 2 * people, people]
    if found != expected:
        raise AssertionError(found)
