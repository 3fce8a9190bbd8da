"""What has changed since a closing: the policy, the key, rows that are gone."""

from datetime import timedelta

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    text,
)

from efface import Clear, Eraser, Policy, Redact, data_subject, not_personal, on_close, personal
from efface.errors import ForeignClosingError, UnrecognizedClosingError
from tests.eraser.run_pending.pending_closings import (
    LATER,
    close,
    run_pending,
    stored,
    tokens,
    write_late,
)
from tests.support.databases import refuse, sqlite_engine
from tests.support.schemas import forum
from tests.support.schemas.forum import Invoice, Order, Post, Token, User


def notes(bodies):
    """People with notes, of which a policy says what happens to the *bodies*."""
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer, primary_key=True),
          Column("name", String(40), personal(Clear())),
          Column("deleted_at", DateTime(timezone=True)),
          data_subject(identifiers=["name"]))  # fmt: skip
    Table("notes", metadata, Column("id", Integer, primary_key=True),
          Column("owner_id", ForeignKey("people.id"), index=True),
          Column("title", String(40), personal(Clear())),
          Column("body", String(40), bodies), on_close(Redact(), via="owner_id"))  # fmt: skip
    return metadata


def test_a_policy_that_has_changed_since_is_carried_out_as_it_is_now(database):
    before, now = notes(not_personal()), notes(personal(Clear()))
    before.create_all(database)
    first = Eraser(Policy.from_metadata(before), secret=forum.KEY, clock=lambda: forum.NOW)
    first.create_tables(database)
    with database.begin() as connection:
        connection.execute(insert(before.tables["people"]).values(id=1, name="Ada Lovelace"))
        row = {"owner_id": 1, "title": "t", "body": "by Ada Lovelace"}
        connection.execute(insert(before.tables["notes"]).values(**row))
    with database.begin() as connection:
        receipt = first.close_account(connection, 1, actor="test")

    second = Eraser(Policy.from_metadata(now), secret=forum.KEY, clock=lambda: LATER)
    with database.begin() as connection:
        (finalized,) = second.run_pending(connection).receipts

    assert (finalized.policy, finalized.late) == (receipt.policy, 1)
    assert [s.rows for s in finalized.steps] == [s.rows for s in receipt.steps]
    with database.connect() as connection:
        assert connection.execute(text("SELECT title, body FROM notes")).all() == [(None, None)]


def test_a_closing_of_other_people_is_not_called_settled(engine):
    """Nobody is found by it, so the pass would be done for nobody, and recorded as done."""
    close(engine, 1)
    metadata = notes(not_personal())
    metadata.create_all(engine)
    other = Eraser(Policy.from_metadata(metadata), secret=forum.KEY, clock=lambda: LATER)

    with engine.begin() as connection:
        pending_run = other.run_pending(connection)

    assert [type(failure.error) for failure in pending_run.failures] == [ForeignClosingError]
    assert stored(engine)[0].finalized_at is None
    assert len(run_pending(engine).receipts) == 1


def with_another_key(now=LATER):
    """The eraser of a site whose key has been changed."""
    policy = Policy.from_metadata(forum.Base.metadata)
    return Eraser(policy, secret="another key of the forum", clock=lambda: now)


def test_under_another_key_nothing_is_called_settled(engine):
    """Every fingerprint is another one then, and rows that are there look as if they were gone."""
    (receipt,) = close(engine, 1)
    write_late(engine, 1)

    with engine.begin() as connection:
        pending_run = with_another_key().run_pending(connection)

    (failure,) = pending_run.failures
    assert isinstance(failure.error, UnrecognizedClosingError)
    assert "1 row closed at the same moment" in str(failure.error)
    assert (pending_run.receipts, pending_run.remaining) == ((), 1)
    assert stored(engine) == [receipt]
    assert tokens(engine) == {1, 2}
    assert [late.late for late in run_pending(engine).receipts] == [1]


def test_nor_is_a_receipt_that_was_recorded_under_another_key(engine):
    close(engine, 1)
    (recorded,) = stored(engine)

    with engine.begin() as connection, pytest.raises(UnrecognizedClosingError) as refused:
        with_another_key().finalize(connection, recorded)

    assert "finalize with the secret that closed the account" in str(refused.value)
    assert stored(engine) == [recorded]


def test_a_row_that_is_gone_is_settled_beside_others_of_its_moment(engine):
    first, second = close(engine, 1, 2)
    with engine.begin() as connection:
        # By hand, and with what would keep it.
        connection.execute(delete(Invoice).where(Invoice.order_id.in_((11, 12))))
        for row in (Order.user_id, Post.author_id, Token.user_id, User.id):
            connection.execute(delete(row.class_).where(row == 1))

    pending_run = run_pending(engine)

    assert [r.reference for r in pending_run.receipts] == [first.reference, second.reference]
    assert pending_run.keys == (None, (2,))
    assert "keys" not in repr(pending_run)


def test_a_closing_is_known_again_however_a_host_has_written_its_moment(tmp_path):
    """On SQLite a moment is a text, and Django writes a whole second without a fraction."""
    engine = sqlite_engine(tmp_path / "test.db")
    forum.create(engine)
    (receipt,) = close(engine, 1)
    write_late(engine, 1)
    with engine.begin() as connection:
        for table, column in (("users", "deleted_at"), ("efface_closings", "closed_at")):
            shorter = f"UPDATE {table} SET {column} = replace({column}, '.000000', '')"
            assert connection.execute(text(shorter)).rowcount

    (again,) = close(engine, 1)
    pending_run = run_pending(engine)
    engine.dispose()

    assert (again.reference, again.already_closed) == (receipt.reference, True)
    assert [(late.late, late.reference) for late in pending_run.receipts] == [
        (1, receipt.reference)
    ]


def test_what_a_worker_counted_stays_counted_when_the_batch_is_settled(engine):
    with engine.begin() as connection:
        eraser = forum.eraser(clock=lambda: LATER)
        batch = eraser.close_accounts(connection, [1, 2], actor="test")
    write_late(engine, 1)
    run_pending(engine, LATER + timedelta(hours=1), limit=1)
    write_late(engine, 2)

    with engine.begin() as connection:
        finalized = eraser.finalize(connection, batch)

    assert [receipt.late for receipt in finalized.receipts] == [2, 1]
    assert stored(engine) == list(finalized.receipts)


def test_a_refusal_of_the_persons_own_row_undoes_their_other_rows(engine):
    failing, other = close(engine, 1, 2)
    write_late(engine, 1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET email = 'ada@example.net' WHERE id = 1"))
    refuse(engine, "users", "UPDATE", "OLD.email = 'ada@example.net' AND NEW.email <> OLD.email")

    pending_run = run_pending(engine)

    assert [failure.reference for failure in pending_run.failures] == [failing.reference]
    assert [r.reference for r in pending_run.receipts] == [other.reference]
    assert tokens(engine) == {1}
