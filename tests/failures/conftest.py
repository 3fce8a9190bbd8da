"""The forum, ready to fail."""

import pytest
from sqlalchemy import create_engine, event, text

from tests.failures.tripwire import Tripwire, wired
from tests.schemas import forum


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


@pytest.fixture(params=["READ COMMITTED", "SERIALIZABLE"])
def isolated(request, database):
    """The forum at each level; SQLite has one, with transactions that begin before they read."""
    forum.create(database)
    if database.dialect.name == "sqlite":
        if request.param != "SERIALIZABLE":
            pytest.skip("SQLite has no other level than SERIALIZABLE.")
        engine = begun_by_itself(database.url)
    else:
        engine = create_engine(database.url, isolation_level=request.param)
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


def named(engine):
    """Where Ada is named, invoices apart: table and column."""
    found = set()
    with engine.connect() as connection:
        for table in forum.Base.metadata.tables.values():
            for row in connection.execute(table.select()).mappings():
                found |= {
                    f"{table.name}.{column}"
                    for column, value in row.items()
                    if "ada" in str(value).lower() or "lovelace" in str(value).lower()
                }
        for row in connection.execute(text("SELECT * FROM efface_closings")):
            assert "ada" not in str(row).lower()
    return found - {"invoices.billing_name"}
