"""The next owner of an address: another account has it before the closure is finalized."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, select, text
from sqlalchemy.orm import Session

from efface import Delete, MatchBy, Placeholder, Redact, on_close, personal
from efface.errors import RetryError
from tests.eraser.real_databases import ADA, GRACE, add, close, created, users


@pytest.fixture
def world(database):
    metadata = MetaData()
    people = users(metadata)
    letters = Table(
        "letters",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", Text),
        on_close(Delete(), via=MatchBy("email", equals="users.email")),
    )
    invitations = Table(
        "invitations",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", Text, personal(Placeholder.email())),
        on_close(Redact(), via=MatchBy("email", equals="users.email")),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    for table in (letters, invitations):
        add(database, table, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    return eraser, people, letters, invitations


def emails(engine, table):
    with engine.connect() as connection:
        return dict(connection.execute(select(table.c.id, table.c.email)).all())


def close_in_a_batch(engine, eraser):
    with engine.begin() as connection:
        return eraser.close_accounts(connection, [1], actor="test")


def finalize(engine, eraser, receipt):
    with Session(engine) as session, session.begin():
        return eraser.finalize(session, receipt)


@pytest.mark.parametrize("leave", [close, close_in_a_batch], ids=["one", "batch"])
@pytest.mark.parametrize("spelled", [ADA, ADA.upper()])
def test_rows_of_the_next_owner_are_not_touched(database, world, leave, spelled):
    eraser, people, letters, invitations = world
    receipt = leave(database, eraser)
    add(database, people, {"id": 3, "email": spelled})
    for table in (letters, invitations):
        add(database, table, {"id": 3, "email": spelled})

    search = finalize(database, eraser, receipt).search

    for table in (people, letters, invitations):
        assert emails(database, table)[3] == spelled
    assert (search.is_clean, search.findings) == (True, ())
    assert [(each.table, each.column, each.rows) for each in search.reused] == [
        ("invitations", "email", 1), ("letters", "email", 1), ("users", "email", 1),
    ]  # fmt: skip
    assert "another account has it now: invitations.email (1)" in search.summary()


def test_an_address_that_nobody_has_is_still_erased_after_the_commit(database, world):
    eraser, _, letters, invitations = world
    receipt = close(database, eraser)
    for table in (letters, invitations):
        add(database, table, {"id": 3, "email": ADA})

    finalized = finalize(database, eraser, receipt)

    assert 3 not in emails(database, letters)
    assert emails(database, invitations)[3] != ADA
    assert (finalized.late, finalized.search.reused) == (2, ())


TAKES_OVER = {
    "sqlite": "CREATE TRIGGER take BEFORE DELETE ON letters BEGIN "
    "INSERT INTO users (id, email) VALUES (3, OLD.email); END",
    "postgresql": "CREATE TRIGGER take BEFORE DELETE ON letters FOR EACH ROW "
    "EXECUTE FUNCTION take_over()",
}


def test_an_address_that_is_taken_over_during_the_pass_rolls_it_back(database, world):
    """Whose the rows are is unknown then. The next attempt knows the new owner."""
    eraser, people, letters, _ = world
    receipt = close(database, eraser)
    add(database, letters, {"id": 3, "email": ADA})
    with database.begin() as connection:
        if database.dialect.name == "postgresql":
            connection.execute(
                text(
                    "CREATE FUNCTION take_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "INSERT INTO users (id, email) VALUES (3, OLD.email); RETURN OLD; END $$"
                )
            )
        connection.execute(text(TAKES_OVER[database.dialect.name]))

    with pytest.raises(RetryError):
        finalize(database, eraser, receipt)

    assert emails(database, letters)[3] == ADA
    assert 3 not in emails(database, people)


def test_a_closed_account_does_not_own_an_address(database, world):
    """As where addresses of closed accounts stay until they are erased."""
    eraser, people, letters, _ = world
    receipt = close(database, eraser)
    add(database, people, {"id": 3, "email": ADA, "deleted_at": receipt.closed_at})
    add(database, letters, {"id": 3, "email": ADA})

    finalized = finalize(database, eraser, receipt)

    assert 3 not in emails(database, letters)
    assert [each.table for each in finalized.search.findings] == ["users"]


def test_a_later_search_tells_the_next_owner_from_residue(database, world):
    eraser, people, letters, _ = world
    finalize(database, eraser, close(database, eraser))
    add(database, letters, {"id": 4, "email": ADA})
    with Session(database) as session:
        residue = eraser.verify(session, 1, [ADA])
    add(database, people, {"id": 3, "email": ADA})
    with Session(database) as session:
        reused = eraser.verify(session, 1, [ADA])

    assert [each.table for each in residue.findings] == ["letters"]
    assert (reused.findings, [each.table for each in reused.reused]) == ((), ["letters", "users"])
