"""Sessions and statements of a closing: what is expired, counted, logged and sent."""

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from efface import Clear, Eraser, Policy, data_subject, personal
from efface.plan.cursor import Cursor
from tests.eraser.close_account.forum_rows import close, row, rows_of
from tests.support.schemas import forum
from tests.support.schemas.forum import Post, Token, User


def test_the_number_of_statements_does_not_depend_on_rows(engine, monkeypatch):
    """laws:P24: at most two statements a table and six besides."""
    drivers = []

    class Counted(Cursor):
        def __init__(self, connection):
            super().__init__(connection)
            drivers.append(self)

    monkeypatch.setattr("efface.eraser.callers_transaction.Cursor", Counted)

    def statements(subject):
        drivers.clear()
        close(engine, subject)
        return drivers[-1].statement_count

    with engine.begin() as connection:
        post = {"author_id": 2, "title": "t", "body": "by Grace Hopper", "details": None}
        connection.execute(insert(Post), [post] * 300)
        connection.execute(insert(Token), [{"user_id": 2, "token": b"x"}] * 300)

    few, many = statements(1), statements(2)

    assert few == many <= 2 * 6 + 6


def test_objects_of_the_tables_touched_are_expired_and_no_others(engine):
    with Session(engine) as session:
        ada = session.get_one(User, 1)
        post = session.scalars(select(Post).where(Post.author_id == 1)).first()
        category = session.scalars(select(forum.Category)).one()

        forum.eraser().close_account(session, 1, actor="test")

        assert ada.name is None
        assert post.body == "Write to a former member or ask a former member."
        assert "title" in category.__dict__


def test_what_the_session_holds_back_is_written_first(engine):
    with Session(engine) as session:
        session.add(Post(author_id=1, title="t", body="Ada Lovelace again", details=None))

        receipt = forum.eraser().close_account(session, 1, actor="test")
        session.commit()

    assert next(s for s in receipt.steps if s.table == "posts").rows == 3
    assert "Lovelace" not in str([post.body for post in rows_of(engine, Post)])


async def test_an_async_session_runs_the_same_code(engine, anyio_backend):
    # psycopg is both, under one name.
    name = engine.url.drivername.replace("pysqlite", "sqlite").split("+")[0]
    driver = {"sqlite": "sqlite+aiosqlite"}.get(name, engine.url.drivername)
    aio = create_async_engine(engine.url.set(drivername=driver))
    eraser = forum.eraser()
    async with AsyncSession(aio) as session:
        receipt = await session.run_sync(eraser.close_account, 1, actor="test")
        await session.commit()
        finalized = await session.run_sync(eraser.finalize, receipt)
        await session.commit()

        with pytest.raises(TypeError, match="run_sync"):
            eraser.close_account(session, 1, actor="test")
    await aio.dispose()

    assert finalized.search.is_clean
    assert row(engine, 1).name is None


def test_values_never_reach_the_statement_log(engine, caplog):
    """tutorial:G41: SQLAlchemy's echo prints parameters; the closing runs below it."""
    engine.echo = True

    close(engine)

    assert "ada@example.org" not in caplog.text
    assert "Lovelace" not in caplog.text


def test_application_defaults_do_not_ride_along():
    """An ``onupdate`` value belongs to the application's own writes."""
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), personal(Clear())),
        Column("changed", Integer, onupdate=99),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(not_personal=["changed"]),
    )
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(people), [{"id": 1, "name": "Ada", "changed": 1}])

        eraser.close_account(connection, 1, actor="test")

        assert connection.execute(select(people.c.name, people.c.changed)).one() == (None, 1)
    engine.dispose()


def test_begin_events_of_the_application_still_run(engine):
    begun = []
    event.listen(engine, "begin", lambda _: begun.append(1))

    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.commit()

    assert begun == [1]
