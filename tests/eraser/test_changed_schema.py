"""A schema that changed since it was read: a closing refuses what has no rule there."""

import logging
import threading
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from efface.errors import LostRelationshipError, PolicyError, UnknownSchemaError
from efface.store.efface_tables import closings
from tests.support.schemas import forum

PROFILES = "CREATE TABLE old_profiles (user_id INTEGER REFERENCES users (id), contact TEXT)"
REPORTS = (
    "CREATE TABLE reports (id INTEGER PRIMARY KEY, "
    "token_id INTEGER REFERENCES users_tokens (id) ON DELETE CASCADE)"
)
FOLLOWED = "ALTER TABLE categories ADD COLUMN token_id INTEGER REFERENCES users_tokens (id)"


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


@pytest.fixture
def eraser():
    """One eraser for all closings of a test, as in an application."""
    return forum.eraser()


@pytest.fixture
def close(engine, eraser):
    """Close an account in a transaction of its own."""

    def close(subject):
        with engine.begin() as connection:
            return eraser.close_account(connection, subject, actor="test")

    return close


def run(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def everything(engine):
    with engine.connect() as connection:
        recorded = connection.execute(closings.select()).all()
        return forum.everything(connection), recorded


CHANGES = [
    (PROFILES, "DROP TABLE old_profiles", "old_profiles"),
    (REPORTS, "DROP TABLE reports", "reports"),
    (
        "ALTER TABLE users ADD COLUMN phone TEXT",
        "ALTER TABLE users DROP COLUMN phone",
        "users.phone",
    ),
    (FOLLOWED, None, "categories.token_id"),
]


@pytest.mark.parametrize("change", CHANGES, ids=[place for *_, place in CHANGES])
def test_what_is_new_and_has_no_rule_stops_every_closing(engine, eraser, close, change):
    statement, undo, place = change
    close(1)
    run(engine, statement)
    before = everything(engine)

    error = LostRelationshipError if statement == FOLLOWED else UnknownSchemaError
    with pytest.raises(error) as caught:
        close(2)
    with pytest.raises(error), engine.begin() as connection:
        eraser.close_accounts(connection, [2], actor="test")
    with pytest.raises(error), engine.begin() as connection:
        eraser.run_pending(connection, min_age=timedelta(0))

    assert [problem.place for problem in caught.value.problems] == [place]
    assert place in str(caught.value)
    assert "Nothing was changed." in str(caught.value)
    assert everything(engine) == before
    # A closed account needs no other closing.
    assert close(1).already_closed
    if undo:
        run(engine, undo)
        assert not close(2).already_closed


def test_what_was_there_before_the_process_began_stops_the_first_closing(engine, close):
    run(engine, PROFILES)

    with pytest.raises(UnknownSchemaError):
        close(1)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE alembic_version (version_num TEXT)",
        "CREATE TABLE weather (day TEXT)",
        (
            "CREATE TABLE colors (id INTEGER PRIMARY KEY, category_id INTEGER "
            "REFERENCES categories (id) ON DELETE CASCADE)"
        ),
        "CREATE VIEW somebody AS SELECT id, email FROM users",
        "CREATE INDEX users_by_locale ON users (locale)",
        "ALTER TABLE categories ADD COLUMN color TEXT",
        "ALTER TABLE users_tokens ADD COLUMN device TEXT",
        "ALTER TABLE posts ADD COLUMN editor_id INTEGER REFERENCES users (id)",
        "ALTER TABLE users ADD COLUMN shout TEXT GENERATED ALWAYS AS (upper(email)) {stored}",
    ],
)
def test_what_refers_to_no_row_of_users_stops_nothing(engine, close, statement):
    close(1)
    stored = "STORED" if engine.dialect.name == "postgresql" else "VIRTUAL"
    run(engine, statement.format(stored=stored))

    assert not close(2).already_closed


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_partitions_extensions_and_temporary_tables_stop_nothing(engine, close):
    close(1)
    run(
        engine,
        "ALTER TABLE orders RENAME TO former_orders",
        "DROP TABLE former_orders CASCADE",
        "CREATE TABLE orders (id int, user_id int REFERENCES users (id), note text) "
        "PARTITION BY HASH (id)",
        "CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "CREATE TEMPORARY TABLE noted (id int)",
    )

    assert not close(2).already_closed


def test_a_column_of_a_part_of_a_table_needs_a_rule_as_well(server_urls, tmp_path):
    """Only PostgreSQL has tables that inherit from others."""
    from tests.support import databases

    engine = databases.emptied(server_urls["postgresql"])
    forum.create(engine)
    run(engine, "CREATE TABLE admins (badge text) INHERITS (users)")
    try:
        with pytest.raises(UnknownSchemaError) as caught, engine.begin() as connection:
            forum.eraser().close_account(connection, 1, actor="test")
    finally:
        run(engine, "DROP TABLE admins")
        engine.dispose()

    assert [problem.place for problem in caught.value.problems] == ["admins.badge"]


def test_each_schema_is_read_once(engine, eraser, close, monkeypatch):
    asked = []

    @event.listens_for(engine, "before_cursor_execute")
    def _(_connection, _cursor, statement, *_):
        asked.append(statement)

    def number(subject):
        asked.clear()
        close(subject)
        return len(asked)

    first, again = number(1), number(2)
    run(engine, "CREATE TABLE weather (day TEXT)")
    with engine.begin() as connection:
        forum.move_in(connection, 3, "joan@example.org", "Joan Clarke")
        forum.move_in(connection, 4, "emmy@example.org", "Emmy Noether")
    changed, after = number(3), number(4)

    assert again == after
    assert first > again + 5
    assert changed > again + 5


def test_an_engine_with_other_options_is_the_same_database(engine, eraser):
    asked = []

    @event.listens_for(engine, "before_cursor_execute")
    def _(_connection, _cursor, statement, *_):
        asked.append(statement)

    for subject in (1, 2):
        asked.clear()
        with engine.execution_options(isolation_level="SERIALIZABLE").begin() as connection:
            eraser.close_account(connection, subject, actor="test")

    assert len(asked) <= 2  # the fingerprint; what closes runs below SQLAlchemy


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_each_schema_of_a_search_path_is_asked_by_itself(engine, eraser):
    run(
        engine,
        "DROP SCHEMA IF EXISTS acme CASCADE",
        "CREATE SCHEMA acme",
    )
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO acme"))
        forum.Base.metadata.create_all(connection, checkfirst=False)
        eraser.create_tables(connection)
        forum.move_in(connection, 1, "ada@example.org", "Ada Lovelace")
        connection.execute(text("CREATE TABLE old_profiles (user_id int REFERENCES users (id))"))
    try:
        with engine.begin() as connection:
            eraser.close_account(connection, 1, actor="test")
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL search_path TO acme"))
            with pytest.raises(UnknownSchemaError):
                eraser.close_account(connection, 1, actor="test")
        with engine.begin() as connection:
            assert not eraser.close_account(connection, 2, actor="test").already_closed
    finally:
        run(engine, "DROP SCHEMA acme CASCADE")


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_without_permission_there_is_one_warning_and_accounts_are_closed(engine, eraser, caplog):
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE efface_reader"))
        for grant in (
            "ALL ON ALL TABLES IN SCHEMA public",
            "ALL ON ALL SEQUENCES IN SCHEMA public",
            "USAGE ON SCHEMA public",
        ):
            connection.execute(text(f"GRANT {grant} TO efface_reader"))
        connection.execute(text("REVOKE SELECT ON pg_catalog.pg_constraint FROM PUBLIC"))
    try:
        with caplog.at_level(logging.WARNING, "efface"):
            for subject in (1, 2):
                with engine.begin() as connection:
                    connection.execute(text("SET LOCAL ROLE efface_reader"))
                    assert not eraser.close_account(connection, subject, actor="x").already_closed
        assert len(caplog.records) == 1
        assert "42501" in caplog.text
    finally:
        run(
            engine,
            "GRANT SELECT ON pg_catalog.pg_constraint TO PUBLIC",
            "DROP OWNED BY efface_reader",
            "DROP ROLE efface_reader",
        )


def test_threads_may_close_at_the_same_time(engine, eraser):
    with engine.begin() as connection:
        for key in range(3, 11):
            forum.move_in(connection, key, f"u{key}@example.org", f"User {key}")
    found, ready = [], threading.Barrier(4)

    def work(keys):
        ready.wait()
        for key in keys:
            try:
                with engine.begin() as connection:
                    found.append(eraser.close_account(connection, key, actor="test"))
            except PolicyError as error:
                found.append(error)

    threads = [threading.Thread(target=work, args=([key, key + 4],)) for key in (3, 4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each.already_closed for each in found] == [False] * 8


@pytest.mark.anyio
async def test_an_async_session_is_asked_in_the_same_way(tmp_path):
    url = f"sqlite:///{tmp_path / 'forum.db'}"
    engine = create_engine(url)
    forum.create(engine)
    eraser = forum.eraser()
    aio = create_async_engine(url.replace("sqlite", "sqlite+aiosqlite"))
    async with AsyncSession(aio) as session, session.begin():
        await session.run_sync(eraser.close_account, 1, actor="test")
    run(engine, PROFILES)

    async with AsyncSession(aio) as session:
        with pytest.raises(UnknownSchemaError):
            await session.run_sync(eraser.close_account, 2, actor="test")
    await aio.dispose()
    engine.dispose()
