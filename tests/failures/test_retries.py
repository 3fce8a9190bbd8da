"""A transaction of Efface's own that meets another one is run again; the caller's is not."""

import asyncio

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from efface.asgi.session_transaction import in_transaction
from efface.errors import RetryError
from efface.execute.retries import ATTEMPTS
from tests.eraser.real_databases import ADA, ON_POSTGRESQL, add, close, column, created, users

# A sequence counts on after a rollback.
MEETS_OTHERS = """
    CREATE SEQUENCE tries;
    CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'met' USING ERRCODE = '{state}'; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER meet BEFORE UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION meet()"""

pytestmark = ON_POSTGRESQL


def world(engine, times, state="40P01"):
    people = users(MetaData())
    eraser = created(people.metadata, engine)
    add(engine, people, {"id": 1, "email": ADA})
    with engine.begin() as connection:
        connection.execute(text(MEETS_OTHERS.format(times=times, state=state)))
    return eraser, people


def leave(eraser):
    return lambda session: eraser.close_account(session, 1, actor="test")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_deadlock_is_over_when_the_transaction_is_run_again(database, is_async, state):
    eraser, people = world(database, ATTEMPTS - 1, state)

    async def story():
        if not is_async:
            return await in_transaction(sessionmaker(database), leave(eraser))
        engine = create_async_engine(database.url)
        try:
            return await in_transaction(async_sessionmaker(engine), leave(eraser))
        finally:
            await engine.dispose()

    receipt = asyncio.run(story())

    assert not receipt.already_closed
    assert column(database, people, "email") != [ADA]


@pytest.mark.parametrize(("times", "state", "runs"), [(ATTEMPTS, "40P01", 3), (1, "55P03", 1)])
def test_it_is_not_run_for_ever_and_not_where_it_would_wait(database, times, state, runs):
    eraser, people = world(database, times, state)

    with pytest.raises(RetryError):
        asyncio.run(in_transaction(sessionmaker(database), leave(eraser)))

    with database.connect() as connection:
        assert connection.scalar(text("SELECT last_value FROM tries")) == runs
    assert column(database, people, "deleted_at") == [None]


def test_the_callers_transaction_is_not_run_again(database):
    eraser, _ = world(database, 1)

    with pytest.raises(RetryError, match="deadlock"):
        close(database, eraser)
