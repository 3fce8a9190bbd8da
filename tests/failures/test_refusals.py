"""What stops a closing from outside: each its own error, nothing half done, nothing said of Ada."""

from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, event, insert, select, text, update
from sqlalchemy.orm import Session

from efface.errors import (
    ActorIdentifiesUserError,
    AutocommitError,
    ConnectionLostError,
    EffaceError,
    ReadOnlyError,
    RetryError,
    SchemaMismatchError,
    StatementError,
    SubjectKeyError,
    UnknownSubjectError,
)
from tests.failures.conftest import begun_by_itself
from tests.failures.lanes import Lanes
from tests.failures.tripwire import wired
from tests.support.databases import sqlite_engine
from tests.support.schemas import forum
from tests.support.schemas.forum import Post, User


def rows(engine):
    """Every row."""
    with engine.connect() as connection:
        return forum.everything(connection)


@contextmanager
def refused(kind, engine, caplog, *, sqlstate=None):
    """The block ends in this error; nothing has changed, and nobody is named anywhere."""
    before = rows(engine)
    caplog.set_level("DEBUG")

    with pytest.raises(kind) as caught:
        yield

    error = caught.value
    assert type(error) is kind
    said = f"{error!r} {error} {error.args} {caplog.text}".lower()
    assert not any(word in said for word in ("ada@", "lovelace", "secret-key"))
    assert error.__cause__ is None
    if sqlstate:
        assert error.sqlstate == sqlstate
    assert rows(engine) == before


CALLS = {
    "plan": lambda eraser, bind, key: eraser.plan(bind, key),
    "close": lambda eraser, bind, key: eraser.close_account(bind, key, actor="test"),
    "batch": lambda eraser, bind, key: eraser.close_accounts(bind, [2, key], actor="test"),
    "adopt": lambda eraser, bind, key: eraser.adopt(bind, key, actor="test"),
    "verify": lambda eraser, bind, key: eraser.verify(bind, key, ["Ada Lovelace"]),
}


@pytest.mark.parametrize("call", sorted(CALLS))
def test_a_key_of_the_wrong_type(engine, caplog, call):
    for key in ("secret-key", b"1", 1.0, True, None, (1, 2), (), frozenset({"secret-key"})):
        with refused(SubjectKeyError, engine, caplog), engine.begin() as connection:
            CALLS[call](forum.eraser(), connection, key)


@pytest.mark.parametrize("use", ["close_account", "close_accounts"])
@pytest.mark.parametrize("actor", ["ada@example.org", "asked by ADA@Example.org, by mail"])
def test_an_actor_that_is_the_address_of_whoever_leaves(engine, caplog, use, actor):
    """It would be kept with the closing, and in no column that an action reaches."""
    with refused(ActorIdentifiesUserError, engine, caplog), engine.begin() as connection:
        close = getattr(forum.eraser(), use)
        close(connection, 1 if use == "close_account" else [2, 1], actor=actor)


@pytest.mark.parametrize("actor", ["help@example.org", "granada@example.org", "lovelace@x.example"])
def test_an_actor_may_be_somebody_elses_address(engine, actor):
    """That a last name stands in it may be chance: there are people called Help, and Self."""
    with engine.begin() as connection:
        receipt = forum.eraser().close_account(connection, 1, actor=actor)

    assert receipt.actor == actor


@pytest.mark.parametrize("key", [2**70, -(2**70)])
def test_a_key_that_no_column_can_hold(engine, key):
    before = rows(engine)

    with engine.begin() as connection, pytest.raises(EffaceError) as caught:
        forum.eraser().close_account(connection, key, actor="test")

    assert isinstance(caught.value, (UnknownSubjectError, StatementError))
    assert str(key) not in str(caught.value)
    assert rows(engine) == before


@pytest.mark.parametrize(
    ("use", "what"),
    [
        ("plan", "TABLE newsletter"),
        ("close", "TABLE newsletter"),
        ("close", "COLUMN users.bio"),
        ("close", "COLUMN posts.details"),
        ("batch", "COLUMN users.bio"),
    ],
)
def test_a_schema_that_has_drifted_from_the_policy(engine, caplog, use, what):
    kind, _, name = what.partition(" ")
    table, _, column = name.partition(".")
    eraser = forum.eraser()
    with engine.begin() as connection:
        eraser.plan(connection, 1)
        change = f"DROP {kind} {column}" if column else f"DROP {kind}"
        connection.execute(text(f"ALTER TABLE {table} {change}" if column else f"{change} {table}"))
    whole = "SELECT * FROM posts, users WHERE users.id = author_id ORDER BY posts.id"
    with engine.connect() as connection:
        before = connection.execute(text(whole)).all()

    with engine.begin() as connection, pytest.raises(SchemaMismatchError) as caught:
        CALLS[use](eraser, connection, 1)

    assert caught.value.table == table
    assert "efface check --database" in str(caught.value)
    assert "ada@" not in str(caught.value) + caplog.text
    with engine.connect() as connection:
        assert connection.execute(text(whole)).all() == before


@pytest.mark.slow
@pytest.mark.parametrize("use", ["close", "batch", "settle"])
def test_a_database_that_goes_in_the_middle(server, wire, caplog, use):
    """At every statement: the server ends the connection, and the pool forgets it."""
    engine, eraser = wired(server.url, wire), forum.eraser()

    def act(connection):
        return CALLS["close" if use == "settle" else use](eraser, connection, 1)

    with engine.connect() as connection:
        eraser.plan(connection, 1)
    receipt = None
    if use == "settle":
        with engine.begin() as connection:
            receipt = act(connection)

    def again(connection):
        return eraser.finalize(connection, receipt) if receipt else act(connection)

    with engine.connect() as connection, wire.set():
        again(connection)
        statements = wire.count
        connection.rollback()

    for k in range(1, statements + 1):
        with engine.connect() as connection, server.connect() as other:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            end = text("SELECT pg_terminate_backend(:pid, 5000)")

            with (
                refused(ConnectionLostError, server, caplog),
                wire.set(k, lambda: other.scalar(end, {"pid": pid})),  # noqa: B023  # runs at once
            ):
                again(connection)

    with engine.begin() as connection:
        again(connection)
    engine.dispose()


def test_a_lock_that_is_not_given_in_time(server, caplog):
    with server.connect() as holder, server.connect() as connection:
        holder.execute(select(User.id).where(User.id == 1).with_for_update())
        connection.execute(text("SET lock_timeout = '10ms'"))

        with refused(RetryError, server, caplog, sqlstate="55P03"):
            forum.eraser().close_account(connection, 1, actor="test")


def test_a_statement_that_takes_too_long(server, caplog):
    with server.connect() as holder, server.connect() as connection:
        holder.execute(update(Post).where(Post.author_id == 1).values(title="t"))
        connection.execute(text("SET statement_timeout = '20ms'"))

        with refused(RetryError, server, caplog, sqlstate="57014"):
            forum.eraser().close_account(connection, 1, actor="test")


def test_a_locked_sqlite_file(tmp_path, caplog):
    engine = begun_by_itself(f"sqlite:///{tmp_path / 'test.db'}")
    forum.create(engine)
    with engine.connect() as holder, engine.connect() as connection:
        holder.execute(update(User).where(User.id == 2).values(name="Grace"))

        with refused(RetryError, engine, caplog, sqlstate="SQLITE_BUSY"):
            forum.eraser().close_account(connection, 1, actor="test")
    engine.dispose()


def test_a_deadlock(server, caplog):
    """The other transaction holds a post and then wants the person's row."""
    post = update(Post).where(Post.author_id == 1).values(title="t")
    person = update(User).where(User.id == 1).values(locale="fr")
    scripts = [
        [lambda c: forum.eraser().close_account(c, 1, actor="test"), lambda c: c.commit()],
        [lambda c: c.execute(post), lambda c: c.execute(person), lambda c: c.rollback()],
    ]
    lanes = Lanes(server, scripts)

    with refused(RetryError, server, caplog, sqlstate="40P01"):
        lanes.go(1, 0, 1)
        lanes.drain()
        closer, _ = lanes
        raise closer.error.with_traceback(None) from None

    assert "from its beginning" in str(closer.error)
    closer.once_more()
    assert not closer.results[0].already_closed
    lanes.close()


def test_a_serialization_failure(server, caplog):
    eraser = forum.eraser()
    with server.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assert connection.scalar(select(User.locale).where(User.id == 1)) == "en"
        with server.begin() as other:
            other.execute(update(User).where(User.id == 1).values(locale="fr"))

        with refused(RetryError, server, caplog, sqlstate="40001"):
            eraser.close_account(connection, 1, actor="test")

        assert not eraser.close_account(connection, 1, actor="test").already_closed


def test_a_transaction_that_may_only_read(database, caplog):
    """A plan is possible there; a closing is not."""
    forum.create(database)
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}

    with database.connect() as connection:
        connection.execute(text(read_only[database.dialect.name]))
        assert forum.eraser().plan(connection, 1).rows > 0

        with refused(ReadOnlyError, database, caplog):
            forum.eraser().close_account(connection, 1, actor="test")


def test_a_file_that_may_only_be_read(tmp_path, caplog):
    path = tmp_path / "test.db"
    writable = sqlite_engine(path)
    forum.create(writable)
    writable.dispose()
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")

    with engine.connect() as connection, refused(ReadOnlyError, engine, caplog):
        forum.eraser().close_account(connection, 1, actor="test")
    engine.dispose()


@pytest.mark.parametrize("call", ["close", "batch", "adopt"])
@pytest.mark.parametrize("use", ["connection", "session"])
def test_a_connection_that_commits_every_statement(database, caplog, call, use):
    forum.create(database)
    engine = database.execution_options(isolation_level="AUTOCOMMIT")

    with refused(AutocommitError, database, caplog):
        if use == "connection":
            with engine.connect() as connection:
                CALLS[call](forum.eraser(), connection, 1)
        else:
            with Session(engine) as session:
                CALLS[call](forum.eraser(), session, 1)


def test_an_application_that_begins_by_itself(tmp_path):
    """To the driver it commits every statement; but a transaction has begun."""
    engine = begun_by_itself(f"sqlite:///{tmp_path / 'test.db'}")
    forum.create(engine)
    before, eraser = rows(engine), forum.eraser()

    with engine.connect() as connection:
        eraser.close_account(connection, 1, actor="test")
        connection.rollback()
    assert rows(engine) == before

    with Session(engine) as session:
        receipt = eraser.close_account(session, 1, actor="test")
        session.commit()
        assert eraser.finalize(session, receipt).search.is_clean
        session.commit()
    engine.dispose()


def test_an_application_that_forgot_to_begin(tmp_path, caplog):
    """The driver is set so, and nobody begins: half a closing could stay."""
    engine = create_engine(f"sqlite:///{tmp_path / 'test.db'}")
    forum.create(engine)
    event.listen(engine, "connect", lambda dbapi, _: setattr(dbapi, "isolation_level", None))
    engine.dispose()

    with refused(AutocommitError, engine, caplog), engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
    engine.dispose()


def test_an_open_write_of_the_caller_is_rolled_back_with_the_closing(engine, wire):
    """What the caller wrote before in the same transaction goes as well, and it is said."""
    with engine.connect() as connection:
        connection.execute(insert(forum.Category), [{"title": "Seeds"}])
        with (
            wire.set(5, wire.fail(engine.dialect.name)),
            pytest.raises(StatementError, match="The transaction was rolled back"),
        ):
            forum.eraser().close_account(connection, 1, actor="test")
        connection.commit()

    assert [title for _, title in rows(engine)["categories"]] == ["Tools"]
