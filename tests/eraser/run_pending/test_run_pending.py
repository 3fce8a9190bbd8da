"""What a crash left unsettled is settled later, by whoever comes first, and once."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from efface.errors import NotFinalizedError, StatementError
from efface.store.efface_tables import closings
from tests.eraser.run_pending.pending_closings import (
    LATER,
    close,
    run_pending,
    stored,
    tokens,
    write_late,
)
from tests.failures.lanes import WAITING
from tests.support.databases import allow, refuse, sqlite_engine
from tests.support.schemas import forum
from tests.support.schemas.forum import Post, Token


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
