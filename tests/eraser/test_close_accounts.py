"""Many accounts with the statements of one: as if one after another, in one transaction."""

import pickle
import re

import pytest
from sqlalchemy import func, insert, select, update

from efface import Receipt
from efface.errors import UnknownSubjectError, UnrecordedClosingError
from efface.plan.cursor import Cursor
from efface.store.efface_tables import closings
from tests.support.schemas import forum, tangle
from tests.support.schemas.forum import Post, Token, User


@pytest.fixture
def engine(database):
    """The forum with Ada (1), Grace (2) and thirty more."""
    forum.create(database)
    with database.begin() as connection:
        for key in range(3, 33):
            forum.move_in(connection, key, f"member{key}@example.org", f"Member Number{key}")
    return database


def close(engine, subjects, **options):
    """Close accounts in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser(**options).close_accounts(connection, subjects, actor="ticket 8114")


def finalize(engine, batch):
    """Settle a batch in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser().finalize(connection, batch)


def state(engine, schema=forum):
    """Every row but for the random parts and our own records."""
    with engine.connect() as connection:
        if schema is forum:
            found = forum.everything(connection)
        else:
            found = {t.name: tangle.rows(connection, t) for t in tangle.metadata.sorted_tables}
    return {
        name: sorted(str([_stable(value) for value in row]) for row in rows)
        for name, rows in found.items()
    }


def _stable(value):
    if isinstance(value, str) and value.startswith("anonymized-"):
        return "placeholder"
    return re.sub("^-[0-9a-f]{16,}$", "token", value) if isinstance(value, str) else value


def test_a_batch_ends_like_a_sequence(engine):
    """laws:P2."""
    subjects = [1, *range(5, 20)]
    with engine.connect() as connection:
        forum.eraser().close_accounts(connection, subjects, actor="test")
        together = {n: str(r) for n, r in forum.everything(connection).items()}
        connection.rollback()
    for subject in subjects:
        with engine.begin() as connection:
            forum.eraser().close_account(connection, subject, actor="test")

    with engine.connect() as connection:
        apart = {n: str(r) for n, r in forum.everything(connection).items()}
    assert {n: _masked(text) for n, text in together.items()} == {
        n: _masked(text) for n, text in apart.items()
    }


def _masked(text):
    return sorted(re.sub(r"anonymized-[0-9a-f]{32}", "placeholder", text).split("), ("))


@pytest.mark.parametrize("subjects", [[1, 2], [2, 3], [1, 2, 3]])
def test_a_batch_ends_like_a_sequence_with_every_kind_of_link(database, subjects):
    """Messages between two people of one batch, addresses that only they share, circles."""
    tangle.create(database)
    eraser = tangle.eraser()
    with database.connect() as connection:
        eraser.close_accounts(connection, subjects, actor="test")
        together = {t.name: tangle.rows(connection, t) for t in tangle.metadata.sorted_tables}
        connection.rollback()
    with database.begin() as connection:
        for subject in subjects:
            eraser.close_account(connection, subject, actor="test")

    apart = state(database, tangle)
    assert {
        name: sorted(str([_stable(value) for value in row]) for row in rows)
        for name, rows in together.items()
    } == apart


def test_the_receipts_stand_in_the_order_asked_for(engine):
    batch = close(engine, [7, 3, 5, 3])

    fingerprints = [forum.eraser()._fingerprint((key,)) for key in (7, 3, 5)]
    assert [receipt.subject for receipt in batch.receipts] == fingerprints
    assert batch.closed == 3
    assert all(receipt.together == 3 for receipt in batch.receipts)


def test_each_account_answers_its_own_receipt_later(engine):
    batch = close(engine, [1, 2])

    with engine.begin() as connection:
        again = forum.eraser().close_account(connection, 2, actor="test")

    assert again.already_closed
    assert again == batch.receipts[1]


def test_accounts_closed_before_answer_their_first_receipts(engine):
    first = close(engine, [1, 2])

    second = close(engine, [2, 3])

    assert second.closed == 1
    assert second.receipts[0] == first.receipts[1]
    assert second.receipts[0].already_closed


def test_a_batch_of_closed_accounts_changes_nothing(engine):
    close(engine, [1, 2])
    before = state(engine)

    batch = close(engine, [1, 2])

    assert (batch.closed, batch.rows) == (0, 0)
    assert state(engine) == before


@pytest.mark.parametrize("subjects", [[1, 999], [998, 999]])
def test_an_unknown_key_stops_the_batch_before_anything_changes(engine, subjects):
    before = state(engine)

    with pytest.raises(UnknownSubjectError) as caught:
        close(engine, subjects)

    assert caught.value.people == subjects.count(998) + 1
    assert state(engine) == before


def test_a_tombstone_set_by_hand_stops_the_batch(engine):
    with engine.begin() as connection:
        connection.execute(update(User).where(User.id == 2).values(deleted_at=forum.NOW))

    with pytest.raises(UnrecordedClosingError):
        close(engine, [1, 2])

    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(closings)) == 0


def test_a_batch_has_at_most_a_thousand_people(engine):
    with pytest.raises(ValueError, match="at most 1000"):
        close(engine, range(1, 1002))


def test_an_empty_batch_is_no_error(engine):
    batch = close(engine, [])

    assert (batch.closed, batch.receipts, batch.steps) == (0, (), ())


def test_the_statements_do_not_depend_on_the_number_of_people(engine, monkeypatch):
    """laws:P24."""
    drivers = []

    class Counted(Cursor):
        def __init__(self, connection):
            super().__init__(connection)
            drivers.append(self)

    monkeypatch.setattr("efface.eraser.callers_transaction.Cursor", Counted)

    close(engine, [1])
    close(engine, range(2, 32))

    few, many = (driver.statement_count for driver in drivers)
    assert few == many <= 2 * 6 + 6


def test_settling_searches_for_all_of_them_in_one_reading(engine):
    batch = close(engine, range(1, 21))
    with engine.begin() as connection:
        connection.execute(insert(Token).values(user_id=4, token=b"late"))
        body = "as Member Number7 said to grace@example.org"
        connection.execute(insert(Post).values(author_id=25, title="t", body=body))

    finalized = finalize(engine, batch)

    assert finalized.late == 1
    assert [(f.table, f.column, f.rows) for f in finalized.search.findings] == [
        ("posts", "body", 1)
    ]
    assert [(f.table, f.column, f.rows) for f in finalized.search.kept] == [
        ("invoices", "billing_name", 40)
    ]
    with engine.connect() as connection:
        stored = connection.scalars(select(closings.c.receipt)).all()
    assert {Receipt.from_json(text).late for text in stored} == {1}


def test_a_clean_batch_is_clean(engine):
    finalized = finalize(engine, close(engine, range(1, 33)))

    assert finalized.search.is_clean
    assert finalized.search.summary() == "searched 8 tables, 19 columns: clean"


def test_a_batch_shows_nobody_and_forgets_them_in_pickles(engine):
    batch = close(engine, [1, 2])

    again = pickle.loads(pickle.dumps(batch))

    assert again == batch
    assert again.captured is None
    for text in (
        repr(batch),
        repr(batch.captured),
        str(vars(batch)),
        pickle.dumps(batch).decode("latin-1"),
    ):
        assert "example.org" not in text
        assert "Lovelace" not in text
    with pytest.raises(ValueError, match="Only the process"):
        finalize(engine, again)
