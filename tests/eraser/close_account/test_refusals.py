"""Closings that are refused: stale plans, tombstones set by hand, missing tables."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, text, update

from efface import Eraser, Policy
from efface.errors import (
    ForeignPlanError,
    MissingDeletedAtError,
    MissingTablesError,
    StalePlanError,
    StatementError,
    UnrecordedClosingError,
    WeakSecretError,
)
from efface.plan.closing_subjects import as_utc
from tests.eraser.close_account.forum_rows import close, row
from tests.support.schemas import forum
from tests.support.schemas.forum import Newsletter, Post, Token, User


def test_a_plan_that_was_read_is_carried_out(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)

        receipt = eraser.close_account(connection, 1, actor="test", plan=plan)

    assert receipt.steps == plan.steps


def test_a_plan_counts_what_execution_counts(engine):
    """laws:P18, without handing the plan over."""
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")

    assert [(s.table, s.action, s.rows) for s in receipt.steps] == [
        (s.table, s.action, s.rows) for s in plan.steps
    ]


@pytest.mark.parametrize(
    "change",
    [
        insert(Token).values(user_id=1, token=b"new"),
        insert(Post).values(author_id=1, title="t", body="b", details=None),
        update(Post).where(Post.id == 3).values(body="I am Ada Lovelace."),
        delete(Newsletter).where(Newsletter.address == "ada@example.org"),
    ],
)
def test_a_stale_plan_is_refused(engine, change):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)
        connection.execute(change)

    with engine.begin() as connection, pytest.raises(StalePlanError) as caught:
        eraser.close_account(connection, 1, actor="test", plan=plan)

    assert caught.value.planned != caught.value.found
    assert row(engine, 1).deleted_at is None


def test_a_plan_for_somebody_else_is_refused(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 2)

        with pytest.raises(ForeignPlanError):
            eraser.close_account(connection, 1, actor="test", plan=plan)


def test_a_tombstone_set_by_hand_is_refused_and_can_be_adopted(engine):
    long_ago = datetime(2020, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    with engine.begin() as connection:
        connection.execute(update(User).where(User.id == 1).values(deleted_at=long_ago))

    with engine.begin() as connection, pytest.raises(UnrecordedClosingError) as caught:
        forum.eraser().close_account(connection, 1, actor="test")
    assert "eraser.adopt(session, pk" in str(caught.value)
    assert row(engine, 1).email == "ada@example.org"

    with engine.begin() as connection:
        receipt = forum.eraser().adopt(connection, 1, actor="test")
    assert receipt.closed_at == long_ago
    assert row(engine, 1).email.endswith("@users.invalid")
    assert as_utc(row(engine, 1).deleted_at) == long_ago
    assert close(engine) == receipt


def test_our_tables_missing_is_said_with_the_line_that_makes_them(database):
    forum.Base.metadata.create_all(database)

    with database.begin() as connection, pytest.raises(MissingTablesError) as caught:
        forum.eraser().plan(connection, 1)

    assert "eraser.create_tables(engine)" in str(caught.value)
    assert "op.create_efface_tables()" in str(caught.value)


def test_a_database_without_the_tombstone_is_said_with_the_line_that_adds_it(engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users DROP COLUMN deleted_at"))

    with engine.begin() as connection, pytest.raises(MissingDeletedAtError) as caught:
        forum.eraser().plan(connection, 1)

    assert 'op.add_deleted_at("users")' in str(caught.value)


def test_a_table_missing_in_the_database_is_an_error_without_values(engine):
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE newsletter"))

    with pytest.raises(StatementError) as caught:
        close(engine)

    assert caught.value.table == "newsletter"
    assert row(engine, 1).deleted_at is None


@pytest.mark.parametrize("actor", ["", "x" * 201, 7, None])
def test_an_actor_is_named_in_a_few_words(engine, actor):
    with engine.begin() as connection, pytest.raises(ValueError, match="1 to 200"):
        forum.eraser().close_account(connection, 1, actor=actor)


def test_a_short_key_is_refused():
    with pytest.raises(WeakSecretError):
        Eraser(Policy.from_metadata(forum.Base.metadata), secret="short")
