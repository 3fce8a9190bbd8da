"""laws:P10: whichever statement fails, the database is as before or as after, never between."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from efface.errors import StatementError
from efface.store.efface_tables import closings
from tests.failures.tripwire import SECRET, wired
from tests.support.schemas import forum, tangle

pytestmark = [pytest.mark.laws("P10"), pytest.mark.slow]
SCHEMAS = {"forum": forum, "tangle": tangle}


@pytest.fixture(params=sorted(SCHEMAS))
def world(request, database, wire):
    """A schema's module, an eraser that has run before, and an engine that can trip."""
    schema = SCHEMAS[request.param]
    schema.create(database)
    eraser, engine = schema.eraser(), wired(database.url, wire)
    with engine.connect() as connection:
        eraser.plan(connection, 1)
    yield schema, eraser, engine
    engine.dispose()


def state(schema, engine):
    """Every row, ours included."""
    with engine.connect() as connection:
        metadata = getattr(schema, "metadata", None) or schema.Base.metadata
        tables = [*metadata.tables.values(), closings]
        return {t.name: sorted(map(repr, connection.execute(select(t)))) for t in tables}


def bound(engine, use):
    """A connection, or a session."""
    return engine.connect() if use == "connection" else Session(engine)


def act(eraser, bind, how):
    """Close one account, or two at once."""
    if how == "batch":
        return eraser.close_accounts(bind, [1, 2], actor="test")
    return eraser.close_account(bind, 1, actor="test")


def check_refusal(caught, wire):
    """The error is ours and repeats nothing that the driver quoted."""
    assert wire.count == wire.at
    said = f"{caught.value!r} {caught.value} {caught.value.args}"
    assert not any(word in said for word in SECRET.split())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("use", ["connection", "session"])
@pytest.mark.parametrize("how", ["single", "batch"])
def test_a_closing_that_fails_anywhere_leaves_nothing(world, wire, use, how):
    """Also when the caller swallows the error and commits."""
    schema, eraser, engine = world
    before = state(schema, engine)
    with bound(engine, use) as bind, wire.set():
        act(eraser, bind, how)
    statements = wire.count
    assert state(schema, engine) == before

    for k in range(1, statements + 1):
        with bound(engine, use) as bind:
            with (
                wire.set(k, wire.fail(engine.dialect.name)),
                pytest.raises(StatementError) as caught,
            ):
                act(eraser, bind, how)
            bind.commit()

        check_refusal(caught, wire)
        assert state(schema, engine) == before, k

    with bound(engine, use) as bind:
        act(eraser, bind, how)
        bind.commit()
    after = state(schema, engine)
    assert len(after["efface_closings"]) == (2 if how == "batch" else 1)


@pytest.mark.parametrize("how", ["single", "batch"])
def test_settling_that_fails_anywhere_can_be_done_again(world, wire, how):
    schema, eraser, engine = world
    with engine.begin() as connection:
        receipt = act(eraser, connection, how)
    closed = state(schema, engine)
    with engine.connect() as connection, wire.set():
        eraser.finalize(connection, receipt)
    statements = wire.count

    for k in range(1, statements + 1):
        with engine.connect() as connection:
            with (
                wire.set(k, wire.fail(engine.dialect.name)),
                pytest.raises(StatementError) as caught,
            ):
                eraser.finalize(connection, receipt)
            connection.commit()

        check_refusal(caught, wire)
        assert state(schema, engine) == closed, k

    with engine.begin() as connection:
        finalized = eraser.finalize(connection, receipt)
    assert finalized.finalized_at
    assert (finalized.late, finalized.search is None) == (0, False)


def test_a_first_use_that_fails_anywhere_is_refused_in_our_words(world, wire):
    """Also while the database is being asked whether it is ready."""
    schema, _, engine = world
    before = state(schema, engine)
    with engine.connect() as connection, wire.set():
        schema.eraser().close_account(connection, 1, actor="test")
    statements = wire.count

    for k in range(1, statements + 1):
        eraser = schema.eraser()
        with engine.connect() as connection:
            with (
                wire.set(k, wire.fail(engine.dialect.name)),
                pytest.raises(StatementError) as caught,
            ):
                eraser.close_account(connection, 1, actor="test")
            connection.commit()

        check_refusal(caught, wire)
        assert state(schema, engine) == before, k


def test_a_savepoint_of_the_caller_keeps_what_came_before_it(world, wire):
    """The failure undoes the closing alone, and the caller goes on."""
    schema, eraser, engine = world
    before = state(schema, engine)
    with engine.connect() as connection, wire.set():
        eraser.close_account(connection, 1, actor="test")
    statements = wire.count

    for k in range(1, statements + 1):
        with engine.connect() as connection:
            eraser.close_account(connection, 2, actor="test")
            savepoint = connection.begin_nested()
            with wire.set(k, wire.fail(engine.dialect.name)), pytest.raises(StatementError):
                eraser.close_account(connection, 1, actor="test")
            assert not savepoint.is_active
            assert connection.scalar(select(func.count()).select_from(closings)) == 1
            connection.rollback()
        assert state(schema, engine) == before
