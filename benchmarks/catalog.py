"""What a database says of itself, at 180 tables: the whole catalog, and its fingerprint."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    text,
)
from sqlalchemy.pool import NullPool, StaticPool

from benchmarks.measure import Measure, within
from efface.catalog import Catalog
from efface.catalog.fingerprints import fingerprint
from tests.support import databases

TABLES = 180
READINGS = 5
FINGERPRINTS = 400


def big_schema() -> Iterator[Measure]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    yield from _measured(engine, "SQLite")
    with databases.server() as server, databases.database_on(server, "efface_bench") as url:
        engine = create_engine(url)
        yield from _measured(engine, "PostgreSQL")
        engine.dispose()


def _measured(engine: Engine, name: str) -> Iterator[Measure]:
    _metadata().create_all(engine)
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "AUTOCOMMIT"}
        root = create_engine(engine.url, poolclass=NullPool, execution_options=options)
        with root.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
    with engine.connect() as connection:
        reading = [_reading(connection) for _ in range(READINGS)]
        asking = [
            (_asking(connection, guarded=True), _asking(connection, guarded=False))
            for _ in range(FINGERPRINTS)
        ]
    yield within(f"catalog of {TABLES} tables, {name}, the first time", reading[0], 1, "s")
    yield within(f"catalog of {TABLES} tables, {name}, again", median(reading[1:]), 1, "s")
    guarded, unguarded = (median(times[50:]) * 1000 for times in zip(*asking, strict=True))
    yield within(f"fingerprint of {TABLES} tables, {name}, in a savepoint", guarded, 1, "ms")
    yield within(f"fingerprint of {TABLES} tables, {name}", unguarded, 1, "ms")


def _reading(connection: Connection) -> float:
    start = perf_counter()
    catalog = Catalog.of_database(connection)
    taken = perf_counter() - start
    if not isinstance(catalog, Catalog) or len(catalog.relations) != TABLES:
        raise AssertionError(catalog)
    return taken


def _asking(connection: Connection, *, guarded: bool) -> float:
    start = perf_counter()
    fingerprint(connection, guarded=guarded)
    return perf_counter() - start


def _metadata() -> MetaData:
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80), unique=True),
        Column("deleted_at", DateTime(timezone=True)),
    )
    for number in range(TABLES - 1):
        Table(
            f"t{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("person_id", ForeignKey("people.id"), index=True),
            Column("other_id", ForeignKey(f"t{number // 2}.id", ondelete="CASCADE"), index=True),
            *(Column(f"c{each}", String(200)) for each in range(9)),
            *(Column(f"n{each}", Integer) for each in range(9)),
            UniqueConstraint("person_id", "c1"),
            CheckConstraint("n1 > 0"),
        )
    return metadata
