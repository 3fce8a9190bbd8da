"""The forum, ready to fail."""

import pytest
from sqlalchemy import create_engine, event, text

from tests.failures.tripwire import Tripwire, wired
from tests.support.databases import KINDS, emptied
from tests.support.schemas import forum


@pytest.fixture
def wire():
    """What every statement of `engine` passes."""
    return Tripwire()


@pytest.fixture
def engine(database, wire):
    """The forum with Ada and Grace, behind a driver that can trip."""
    forum.create(database)
    engine = wired(database.url, wire)
    yield engine
    engine.dispose()


LEVELS = ("READ COMMITTED", "SERIALIZABLE")
SERVERS = KINDS[1:]


# Each script runs in every order of two connections: on servers that is left to the long run.
LANES = [
    pytest.param(f"{kind} {level}", marks=pytest.mark.slow) for kind in SERVERS for level in LEVELS
]


@pytest.fixture(params=["sqlite", *LANES])
def isolated(request, tmp_path, server_urls):
    """The forum at each level; SQLite has one, with transactions that begin before they read."""
    kind, _, level = request.param.partition(" ")
    if kind == "sqlite":
        engine = begun_by_itself(f"sqlite:///{tmp_path / 'test.db'}")
    else:
        emptied(server_urls[kind]).dispose()
        engine = create_engine(server_urls[kind], isolation_level=level)
    forum.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=SERVERS)
def server(request, server_urls):
    """The forum on a server: more than one can write at a time, and wait."""
    engine = emptied(server_urls[request.param])
    forum.create(engine)
    yield engine
    engine.dispose()


def begun_by_itself(url, **options):
    """Return an engine whose application begins SQLite's transactions, as SQLAlchemy advises."""
    arguments = {"timeout": 0, "check_same_thread": False, **options}
    engine = create_engine(url, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _(connection, _record):
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def _(connection):
        connection.exec_driver_sql("BEGIN")

    return engine


OLD = ("ada@example", "lovelace")
"""What names Ada and cannot stand in a placeholder by chance."""


def named(engine, words=OLD):
    """Where one of these words stands, invoices apart: table and column."""
    found = set()
    with engine.connect() as connection:
        for table in forum.Base.metadata.tables.values():
            for row in connection.execute(table.select()).mappings():
                found |= {
                    f"{table.name}.{column}"
                    for column, value in row.items()
                    if any(word in str(value).lower() for word in words)
                }
        for row in connection.execute(text("SELECT * FROM efface_closings")):
            assert not any(word in str(row).lower() for word in words)
    return found - {"invoices.billing_name"}
