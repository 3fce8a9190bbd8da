"""laws:P10: a process killed at any point leaves the database before or after."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from efface import Receipt
from efface.store.efface_tables import closings
from tests.failures.conftest import named
from tests.support.paths import ROOT
from tests.support.schemas import forum
from tests.support.schemas.forum import Token

pytestmark = [pytest.mark.laws("P10"), pytest.mark.slow]


@contextmanager
def child(engine, *arguments):
    """A process of its own, with what it has said so far; it is gone afterwards."""
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.failures.child", url, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def killed(engine, *arguments):
    """Kill a process where it has stopped; return False where it came to its end before."""
    with child(engine, *arguments) as process:
        if process.stdout.readline() != "there\n":
            return False
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    return True


def everything(engine):
    """Every row, ours included."""
    with engine.connect() as connection:
        ours = [tuple(row) for row in connection.execute(select(closings))]
        return forum.everything(connection), ours


def close(engine):
    """Close and settle in this process."""
    eraser = forum.eraser()
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")
    with engine.begin() as connection:
        return eraser.finalize(connection, receipt)


@pytest.fixture
def database(database):
    """The forum."""
    forum.create(database)
    return database


def test_killed_before_the_commit_nothing_has_happened(database):
    before = everything(database)

    assert killed(database, "before commit")

    assert everything(database) == before
    assert not close(database).already_closed
    assert named(database) == set()


@pytest.mark.parametrize("stage", [("after commit",), ("settling", 9)])
def test_killed_after_the_commit_another_process_settles(database, stage):
    """From the receipt alone, which does not say whose it is."""
    assert killed(database, *stage)
    _, ((*_, receipt, finalized_at),) = everything(database)
    assert finalized_at is None
    assert Receipt.from_json(receipt).finalized_at is None
    with database.begin() as connection:
        connection.execute(insert(Token).values(user_id=1, token=b"late"))

    with child(database, "elsewhere") as process:
        finalized = Receipt.from_json(process.stdout.read())

    assert finalized.late == 1
    assert finalized.finalized_at == forum.NOW
    assert named(database) == set()
    assert Receipt.from_json(everything(database)[1][0][6]) == finalized


def test_killed_after_the_commit_whoever_comes_by_settles(database):
    """Knowing not even that there was a closing."""
    assert killed(database, "after commit")
    with database.begin() as connection:
        connection.execute(insert(Token).values(user_id=1, token=b"late"))
    eraser = forum.eraser(clock=lambda: forum.NOW + timedelta(hours=1))

    with database.begin() as connection:
        pending_run = eraser.run_pending(connection)

    assert [receipt.late for receipt in pending_run.receipts] == [1]
    assert pending_run.remaining == 0
    assert named(database) == set()


@pytest.mark.parametrize("stage", ["closing", "settling"])
def test_killed_at_every_statement(database, stage):
    statement, before = 1, everything(database)

    while killed(database, stage, statement):
        rows, ours = everything(database)
        if stage == "closing":
            assert (rows, ours) == before
        else:
            assert len(ours) == 1
            assert named(database) == set()
            with database.begin() as connection:
                for table in [closings, *reversed(forum.Base.metadata.sorted_tables)]:
                    connection.execute(table.delete())
                forum.move_in(connection, 1, "ada@example.org", "Ada Lovelace")
        statement += 1

    assert statement > 10
