"""Closing an account: all of it or nothing, and once."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from efface.errors import StatementError, UnknownSubjectError
from tests.eraser.close_account.forum_rows import close, recorded, row, rows
from tests.support.databases import allow, refuse
from tests.support.schemas import forum


def test_closing_twice_answers_the_first_receipt_and_changes_nothing(engine):
    """cases:CLO-02, laws:P1."""
    first = close(engine)
    before = rows(engine)

    second = close(engine, clock=lambda: forum.NOW + timedelta(days=1))

    assert (first.already_closed, second.already_closed) == (False, True)
    assert second == first
    assert rows(engine) == before
    assert recorded(engine) == 1


def test_two_at_once_give_one_closing(engine):
    """cases:CLO-03: the second waits for the lock, then is told."""
    barrier = threading.Barrier(2)
    receipts, errors = [], []

    def run():
        barrier.wait()
        try:
            receipts.append(close(engine))
        except StatementError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(receipt.already_closed for receipt in receipts) == [False, True]
    assert receipts[0] == receipts[1]
    assert recorded(engine) == 1


def test_a_failure_at_any_statement_leaves_everything_as_it_was(engine):
    """cases:CLO-05, laws:P10: each statement in turn is refused by the database."""
    tables = ["users_tokens", "newsletter", "orders", "posts", "users", "efface_closings"]
    verbs = {"users_tokens": "DELETE", "newsletter": "DELETE", "efface_closings": "INSERT"}
    before = rows(engine)

    for table in tables:
        when = "NEW.email <> OLD.email" if table == "users" else ""
        refuse(engine, table, verbs.get(table, "UPDATE"), when)

        with pytest.raises(StatementError) as caught:
            close(engine)

        assert caught.value.table == table
        assert "ada@example.org" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert rows(engine) == before
        allow(engine, table)
    assert recorded(engine) == 0


def refuse_the_last_step(engine):
    """Make the database refuse to redact the person's own row."""
    refuse(engine, "users", "UPDATE", "NEW.email <> OLD.email")


@pytest.mark.parametrize("use", ["connection", "session", "savepoint"])
def test_half_a_closing_cannot_be_committed_by_swallowing_the_error(engine, use):
    refuse_the_last_step(engine)
    before = rows(engine)
    eraser = forum.eraser()

    with engine.connect() as connection, Session(connection) as session:
        bind = connection if use == "connection" else session
        if use == "savepoint":
            session.begin_nested()
        with pytest.raises(StatementError):
            eraser.close_account(bind, 1, actor="test")
        session.commit()
        connection.commit()

    assert rows(engine) == before


def test_what_the_caller_did_before_its_savepoint_stays(engine):
    refuse_the_last_step(engine)
    eraser = forum.eraser()

    with Session(engine) as session, session.begin():
        session.execute(insert(forum.Category), [{"title": "Seeds"}])
        with pytest.raises(StatementError), session.begin_nested():
            eraser.close_account(session, 1, actor="test")

    assert [title for _, title in rows(engine, "categories")] == ["Tools", "Seeds"]
    assert row(engine, 1).deleted_at is None


def test_rolling_back_the_callers_transaction_undoes_the_closing(engine):
    before = rows(engine)

    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.rollback()

    assert rows(engine) == before
    assert recorded(engine) == 0


def test_a_connection_that_has_run_nothing_yet_is_committed_by_its_owner(engine):
    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.commit()

    assert row(engine, 1).deleted_at is not None


def test_a_refusal_before_anything_changed_leaves_the_transaction_alone(engine):
    with engine.begin() as connection:
        connection.execute(insert(forum.Category), [{"title": "Seeds"}])
        with pytest.raises(UnknownSubjectError):
            forum.eraser().close_account(connection, 77, actor="test")

    assert len(rows(engine, "categories")) == 2
