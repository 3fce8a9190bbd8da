"""What a crash left unsettled is settled later, by whoever comes first, and once."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
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
    select,
    text,
    update,
)

from efface import (
    Clear,
    Eraser,
    Policy,
    Receipt,
    Redact,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.errors import (
    ForeignClosingError,
    NotFinalizedError,
    StatementError,
    UnrecognizedClosingError,
)
from efface.store.efface_tables import closings
from tests.failures.lanes import WAITING
from tests.support.databases import allow, emptied, refuse, sqlite_engine
from tests.support.schemas import forum
from tests.support.schemas.forum import Invoice, Order, Post, Token, User

LATER = forum.NOW + timedelta(hours=1)


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


@pytest.fixture
def server(server_urls):
    """The forum on PostgreSQL, where several can write at a time."""
    engine = emptied(server_urls["postgresql"])
    forum.create(engine)
    yield engine
    engine.dispose()


def close(engine, *subjects, now=forum.NOW):
    """Close accounts, each in a transaction of its own, and never settle them."""
    receipts = []
    for subject in subjects:
        with engine.begin() as connection:
            eraser = forum.eraser(clock=lambda: now)
            receipts.append(eraser.close_account(connection, subject, actor="test"))
    return receipts


def run_pending(engine, now=LATER, **options):
    """Settle what is due in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser(clock=lambda: now).run_pending(connection, **options)


def stored(engine):
    """The receipts as they are recorded, by reference."""
    with engine.connect() as connection:
        found = connection.scalars(select(closings.c.receipt).order_by(closings.c.id))
        return [Receipt.from_json(each) for each in found]


def write_late(engine, subject):
    """Write for somebody who has left, as a writer does that had waited."""
    with engine.begin() as connection:
        connection.execute(insert(Token).values(user_id=subject, token=b"late"))


def tokens(engine):
    """Whose tokens there are."""
    with engine.connect() as connection:
        return set(connection.scalars(select(Token.user_id)))


def test_what_nobody_settled_is_settled_from_its_receipt_alone(engine):
    close(engine, 1)
    write_late(engine, 1)

    pending_run = run_pending(engine)

    (receipt,) = pending_run.receipts
    assert (receipt.late, receipt.finalized_at, receipt.search) == (1, LATER, None)
    assert (pending_run.failures, pending_run.remaining) == ((), 0)
    assert stored(engine) == [receipt]
    assert tokens(engine) == {2}


def test_nothing_is_done_twice(engine):
    close(engine, 1)
    run_pending(engine)
    write_late(engine, 1)

    assert run_pending(engine, LATER + timedelta(hours=1)).receipts == ()
    assert tokens(engine) == {1, 2}


def test_a_closing_is_left_a_while_to_whoever_made_it(engine):
    close(engine, 1)

    soon = run_pending(engine, forum.NOW + timedelta(minutes=14))
    assert (soon.receipts, soon.remaining) == ((), 0)
    assert run_pending(engine, forum.NOW, min_age=timedelta()).remaining == 0
    assert stored(engine)[0].finalized_at == forum.NOW


def test_the_oldest_come_first_and_the_limit_says_how_many(engine):
    first, second = close(engine, 2, 1)

    once = run_pending(engine, limit=1)
    again = run_pending(engine, limit=1)

    assert [r.reference for r in once.receipts] == [first.reference]
    assert once.remaining == 1
    assert [r.reference for r in again.receipts] == [second.reference]
    assert again.remaining == 0


def test_one_that_fails_is_undone_alone_and_keeps_nobody_waiting(engine):
    failing, other = close(engine, 1, 2)
    write_late(engine, 1)
    write_late(engine, 2)
    refuse(engine, "users_tokens", "DELETE", "OLD.user_id = 1")

    pending_run = run_pending(engine, limit=1)

    (failure,) = pending_run.failures
    assert failure.reference == failing.reference
    assert isinstance(failure.error, StatementError)
    # A word of its own: the digits of a reference can spell it.
    assert not re.search(r"\bada\b", f"{pending_run!r} {failure.error}", re.IGNORECASE)
    assert [r.reference for r in pending_run.receipts] == [other.reference]
    assert pending_run.remaining == 1
    assert tokens(engine) == {1}
    assert [r.finalized_at for r in stored(engine)] == [None, LATER]

    allow(engine, "users_tokens")
    assert [r.reference for r in run_pending(engine).receipts] == [failing.reference]


def test_what_is_left_out_is_not_tried(engine):
    one, other = close(engine, 1, 2)

    pending_run = run_pending(engine, exclude={one.reference})

    assert [r.reference for r in pending_run.receipts] == [other.reference]
    assert pending_run.remaining == 1


def test_a_receipt_that_cannot_be_read_stands_in_nobodys_way(engine):
    broken, other = close(engine, 1, 2)
    with engine.begin() as connection:
        mine = closings.c.reference == broken.reference
        connection.execute(update(closings).where(mine).values(receipt='{"name": "Ada Lovelace"}'))

    pending_run = run_pending(engine)

    (failure,) = pending_run.failures
    assert isinstance(failure.error, NotFinalizedError)
    assert "KeyError" in str(failure.error)
    assert "Lovelace" not in str(failure.error)
    assert [r.reference for r in pending_run.receipts] == [other.reference]


def test_the_steps_of_a_batch_keep_the_numbers_of_all(engine):
    """Each is settled by itself; how many rows one of them reaches says nothing of the others."""
    with engine.begin() as connection:
        batch = forum.eraser().close_accounts(connection, [1, 2], actor="test")
    write_late(engine, 2)

    pending_run = run_pending(engine)

    assert [r.reference for r in pending_run.receipts] == [r.reference for r in batch.receipts]
    assert [r.late for r in pending_run.receipts] == [0, 1]
    assert {r.steps for r in pending_run.receipts} == {batch.steps}
    assert stored(engine) == list(pending_run.receipts)


def test_people_of_one_moment_are_looked_for_once(tmp_path):
    """They are found by the moment in their tombstones, which no index has."""
    engine = sqlite_engine(tmp_path / "test.db")
    forum.create(engine)
    with engine.begin() as connection:
        forum.eraser().close_accounts(connection, [1, 2], actor="test")
    asked = []
    with engine.begin() as connection:
        connection.connection.driver_connection.set_trace_callback(asked.append)
        pending_run = forum.eraser(clock=lambda: LATER).run_pending(connection)
    engine.dispose()

    assert len(pending_run.receipts) == 2
    assert sum("users.deleted_at BETWEEN '2026-05-04 12:30:14" in sql for sql in asked) == 1


def test_rows_that_a_waiting_writer_added_are_caught(engine):
    """laws:P11: the writer began before the closing and wrote after it; nobody settled."""
    eraser = forum.eraser()
    locked, written = threading.Event(), threading.Event()

    def write():
        locked.wait()
        with engine.begin() as connection:
            # The database keeps this writer waiting until the closing has been committed.
            connection.execute(insert(Token).values(user_id=1, token=b"late"))
            connection.execute(insert(Post).values(author_id=1, title="t", body="", ip="192.0.2.9"))
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with engine.begin() as connection:
        eraser.close_account(connection, 1, actor="test")
        locked.set()
    written.wait()
    writer.join()

    (receipt,) = run_pending(engine).receipts

    assert receipt.late == 2
    assert tokens(engine) == {2}
    with engine.connect() as connection:
        assert connection.scalar(select(Post.ip).where(Post.ip == "192.0.2.9")) is None


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


def test_two_workers_at_once_share_what_is_due(server):
    """What one is at, the other passes over without waiting."""
    one, other = close(server, 1, 2)
    eraser = forum.eraser(clock=lambda: LATER)

    with server.connect() as first, server.connect() as second:
        begun = eraser.run_pending(first, limit=1)
        meanwhile = eraser.run_pending(second)
        first.commit()
        second.commit()

    assert [r.reference for r in begun.receipts] == [one.reference]
    assert [r.reference for r in meanwhile.receipts] == [other.reference]
    assert meanwhile.remaining == 1
    assert run_pending(server).remaining == 0


def test_whoever_remembers_waits_for_the_worker_and_adds_the_search(server):
    """They lock in one order, so neither is refused."""
    (receipt,) = close(server, 1)
    eraser = forum.eraser(clock=lambda: LATER)

    with ThreadPoolExecutor() as pool, server.connect() as worker, server.connect() as host:
        pid = host.scalar(text("SELECT pg_backend_pid()"))
        eraser.run_pending(worker)
        finalizing = pool.submit(eraser.finalize, host, receipt)
        with server.connect() as watcher:
            while not watcher.scalar(WAITING, {"pid": pid}):
                watcher.rollback()
        worker.commit()
        finalized = finalizing.result()
        host.commit()

    assert finalized.search.is_clean
    assert stored(server) == [finalized]


@pytest.mark.parametrize("people", [[1], [1, 2]])
def test_whoever_settles_locks_closings_before_people(server, people):
    """As a worker does: in the other order each could have what the other one waits for."""
    eraser = forum.eraser(clock=lambda: LATER)
    with server.begin() as connection:
        if len(people) > 1:
            closed = eraser.close_accounts(connection, people, actor="test")
        else:
            closed = eraser.close_account(connection, people[0], actor="test")
    claim = select(closings.c.id).order_by(closings.c.id.desc()).limit(1).with_for_update()

    with ThreadPoolExecutor() as pool, server.connect() as worker, server.connect() as host:
        pid = host.scalar(text("SELECT pg_backend_pid()"))
        worker.execute(claim)
        finalizing = pool.submit(eraser.finalize, host, closed)
        with server.connect() as watcher:
            while not watcher.scalar(WAITING, {"pid": pid}):
                watcher.rollback()
        worker.execute(text("SELECT id FROM users ORDER BY id FOR UPDATE NOWAIT"))
        worker.commit()
        assert finalizing.result().finalized_at == LATER
        host.commit()


def test_the_queue_is_read_by_its_own_index(server):
    """It holds nothing but what is unsettled."""
    close(server, 1)

    with server.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            connection.scalars(
                text(
                    "EXPLAIN SELECT id FROM efface_closings WHERE finalized_at IS NULL ORDER BY id"
                )
            )
        )

    assert "ix_efface_closings_pending" in plan
