"""After the commit: the second pass, and the search of the whole database."""

import threading

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)

from efface import (
    Clear,
    Delete,
    Eraser,
    Policy,
    Receipt,
    Redact,
    Unlink,
    data_subject,
    on_close,
    personal,
)
from efface.evidence.database_search import Finding
from efface.store.efface_tables import closings
from tests.support.schemas import forum
from tests.support.schemas.forum import Category, Invoice, Newsletter, Post, Token, User


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


def close(engine, subject=1):
    """Close an account in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser().close_account(connection, subject, actor="test")


def finalize(engine, receipt):
    """Settle a closing in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser().finalize(connection, receipt)


def test_a_clean_search_says_how_much_was_searched(engine):
    finalized = finalize(engine, close(engine))

    assert finalized.search.is_clean
    assert finalized.search.summary() == "searched 8 tables, 19 columns: clean"
    assert finalized.finalized_at == forum.NOW


def test_what_is_kept_is_listed_apart(engine):
    finalized = finalize(engine, close(engine))

    assert finalized.search.kept == (Finding("invoices", "billing_name", 2),)
    assert finalized.kept_until.isoformat() == "2036-12-31"


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        (insert(Post).values(author_id=2, title="t", body="Ask ADA LOVELACE!"), "posts.body"),
        (insert(Post).values(author_id=2, title="Ada Lovelace", body="b"), "posts.title"),
        (insert(Category).values(title="by ada@example.org"), "categories.title"),
        (
            insert(Post).values(author_id=2, title="t", body="b", details={"x": ["Ada Lovelace"]}),
            "posts.details",
        ),
        (insert(Token).values(user_id=2, token=b"", sent_to="old.ada@example.org"), None),
        (update(User).where(User.id == 2).values(bio="friend of Ada Lovelace"), "users.bio"),
    ],
)
def test_an_identifier_left_in_any_column_is_found(engine, statement, place):
    """laws:P5: the search looks everywhere, not where the policy points."""
    receipt = close(engine)
    with engine.begin() as connection:
        connection.execute(statement)

    finalized = finalize(engine, receipt)

    place = place or "users_tokens.sent_to"
    assert [f"{f.table}.{f.column}" for f in finalized.search.findings] == [place]
    assert finalized.search.findings[0].rows == 1
    assert not finalized.search.is_clean
    assert finalized.search.summary().endswith(f"still found in {place} (1)")


def test_the_search_reports_no_value(engine):
    receipt = close(engine)
    with engine.begin() as connection:
        connection.execute(insert(Category).values(title="Ada Lovelace"))

    finalized = finalize(engine, receipt)

    assert "Lovelace" not in repr(finalized) + finalized.to_json() + finalized.search.summary()


def test_somebody_elses_invoice_is_not_what_is_kept(engine):
    """Only rows that a Retain reaches count as kept, not the whole table."""
    receipt = close(engine)
    with engine.begin() as connection:
        connection.execute(
            update(Invoice).where(Invoice.order_id == 21).values(billing_name="Ada Lovelace")
        )

    finalized = finalize(engine, receipt)

    assert finalized.search.findings == (Finding("invoices", "billing_name", 1),)
    assert finalized.search.kept == (Finding("invoices", "billing_name", 2),)


def test_an_actor_that_names_the_person_is_found_in_our_own_table(engine):
    with engine.begin() as connection:
        receipt = forum.eraser().close_account(connection, 1, actor="for Ada Lovelace")

    finalized = finalize(engine, receipt)

    assert {f.table for f in finalized.search.findings} == {"efface_closings"}


def test_rows_that_a_waiting_writer_added_are_caught(engine):
    """laws:P11: the writer began before the closing and wrote after it."""
    eraser = forum.eraser()
    locked, written = threading.Event(), threading.Event()

    def write():
        locked.wait()
        with engine.begin() as connection:
            # The database keeps this writer waiting until the closing has been committed.
            connection.execute(insert(Token).values(user_id=1, token=b"late"))
            late = {"author_id": 1, "title": "t", "body": "late, Ada Lovelace", "ip": "192.0.2.9"}
            connection.execute(insert(Post).values(**late))
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")
        locked.set()
    written.wait()
    writer.join()

    finalized = finalize(engine, receipt)

    assert finalized.late == 2
    assert finalized.rows == receipt.rows + 2
    assert finalized.search.is_clean


def test_settling_counts_the_rows_that_stay_linked_to_the_tombstone(engine):
    receipt = close(engine)
    assert next(s for s in receipt.steps if s.table == "posts").reached is None

    finalized = finalize(engine, receipt)

    posts = next(s for s in finalized.steps if s.table == "posts")
    assert (posts.reached, posts.rows) == (3, 2)
    assert dict(posts.levels) == {
        "author_id": "pseudonymized",
        "body": "redacted, not verified",
        "details": "redacted, not verified",
        "ip": "redacted",
    }


def test_settling_twice_answers_the_first_result(engine):
    receipt = close(engine)
    first = finalize(engine, receipt)
    with engine.begin() as connection:
        connection.execute(insert(Category).values(title="Ada Lovelace"))

    assert finalize(engine, receipt) == first


def test_a_receipt_from_another_process_is_settled_without_the_search(engine):
    """What a crash left unsettled: nobody remembers the identifiers, and it says so."""
    receipt = Receipt.from_json(close(engine).to_json())
    with engine.begin() as connection:
        connection.execute(insert(Token).values(user_id=1, token=b"late"))

    finalized = finalize(engine, receipt)

    assert finalized.late == 1
    assert finalized.search is None
    assert finalized.finalized_at == forum.NOW


@pytest.mark.parametrize(("remembers", "left"), [(True, 0), (False, 1)])
def test_a_late_row_by_value_is_found_only_where_the_address_is_remembered(engine, remembers, left):
    """It is stored nowhere, so a receipt from elsewhere leads to no such row."""
    receipt = close(engine)
    with engine.begin() as connection:
        connection.execute(insert(Newsletter).values(address="ada@example.org"))

    finalized = finalize(engine, receipt if remembers else Receipt.from_json(receipt.to_json()))

    assert finalized.late == 1 - left
    with engine.connect() as connection:
        query = select(func.count()).where(Newsletter.address == "ada@example.org")
        assert connection.scalar(query) == left
        found = forum.eraser().verify(connection, 1, ["ada@example.org"])
    assert [f.table for f in found.findings] == ["newsletter"] * left


def test_a_late_child_of_a_row_that_was_unlinked_is_found_by_the_search_alone(database):
    metadata = MetaData()
    number, gone = Column("id", Integer, primary_key=True), Column("deleted_at", DateTime(True))
    name = Column("name", String(40), personal(Clear()))
    Table("people", metadata, number, name, gone, data_subject(identifiers=["name"]))
    owner = Column("owner_id", ForeignKey("people.id"), personal(Unlink()), index=True)
    Table("teams", metadata, Column("id", Integer, primary_key=True), owner,
          on_close(Redact(), via="owner_id"))  # fmt: skip
    notes = Table("notes", metadata, Column("team_id", ForeignKey("teams.id"), index=True),
                  Column("text", String(40)), on_close(Delete(), via="team_id"))  # fmt: skip
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY)
    metadata.create_all(database)
    eraser.create_tables(database)
    with database.begin() as connection:
        connection.execute(insert(metadata.tables["people"]).values(id=1, name="Ada Lovelace"))
        connection.execute(insert(metadata.tables["teams"]).values(id=1, owner_id=1))
    with database.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")
    with database.begin() as connection:
        connection.execute(insert(notes).values(team_id=1, text="by Ada Lovelace"))

    with database.begin() as connection:
        finalized = eraser.finalize(connection, receipt)

    assert finalized.late == 0
    assert finalized.search.findings == (Finding("notes", "text", 1),)


def test_a_search_made_later_is_added_to_a_closing_that_was_settled_without_one(engine):
    receipt = close(engine)
    finalize(engine, Receipt.from_json(receipt.to_json()))

    finalized = finalize(engine, receipt)

    assert finalized.search.is_clean
    with engine.connect() as connection:
        stored = Receipt.from_json(connection.scalar(select(closings.c.receipt)))
    assert stored == finalized


def test_a_tombstone_that_was_taken_away_is_not_erased_again(engine):
    """Somebody opened the account by hand after the closing: the row is not ours any more."""
    receipt = close(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET deleted_at = NULL WHERE id = 1"))
        connection.execute(insert(Token).values(user_id=1, token=b"new"))

    finalized = finalize(engine, receipt)

    assert finalized.late == 0
    with engine.connect() as connection:
        assert connection.scalars(select(Token.user_id).where(Token.user_id == 1)).all() == [1]
