"""Schemas as they are: every kind of link and key, on every database."""

import secrets
from datetime import date

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
)

from efface import (
    Delete,
    Eraser,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.errors import ConstraintError
from tests.support.schemas import tangle


@pytest.fixture
def engine(database):
    """The tangle with Ada, Grace and Alan."""
    tangle.create(database)
    return database


def close(engine, subject=1, **options):
    """Close an account and settle it, each in a transaction of its own."""
    eraser = tangle.eraser(**options)
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, subject, actor="test")
    with engine.begin() as connection:
        return eraser.finalize(connection, receipt)


def rows(engine, table):
    """The rows of a table, in order."""
    with engine.connect() as connection:
        return tangle.rows(connection, table)


def test_the_policy_has_no_problems():
    assert [p for p in tangle.eraser().check() if p.level == "error"] == []


def test_nothing_of_the_person_is_left_and_nobody_else_changes(engine):
    before = {t.name: rows(engine, t) for t in tangle.metadata.sorted_tables}

    finalized = close(engine)

    assert finalized.late == 0
    after = {t.name: rows(engine, t) for t in tangle.metadata.sorted_tables}
    for name in ("people", "teams", "visits", "rounds", "scores", "managers"):
        changed = [row for row in before[name] if row not in after[name]]
        assert all(1 in row for row in changed), name
    assert after["badges"] == [row for row in before["badges"] if row[0] != 1]


def test_a_message_loses_only_what_is_the_leavers(engine):
    """Each column is decided through the link that says whose it is."""
    close(engine)

    assert rows(engine, tangle.messages) == [
        (1, 1, 2, None, "to 2", "someone writes"),
        (2, 2, 1, "from 2", None, "Ada Lovelace writes"),
        (3, 2, 3, "from 2", "to 3", "Ada Lovelace writes"),
        (4, 1, 1, None, None, "someone writes"),
        (5, 1, None, None, "to None", "someone writes"),
    ]


def test_what_others_wrote_about_the_person_is_reported(engine):
    finalized = close(engine)

    assert [(f.table, f.column, f.rows) for f in finalized.search.findings] == [
        ("messages", "body", 2)
    ]


def test_a_link_through_one_of_two_links_takes_no_more(engine):
    close(engine)

    assert [row[1] for row in rows(engine, tangle.files)] == [2, 3]


def test_an_owned_row_goes_unless_somebody_else_refers_to_it(engine):
    close(engine)

    assert rows(engine, tangle.addresses) == [(100, "Shared Street")]
    assert [(r[0], r[2]) for r in rows(engine, tangle.orders)] == [
        (1, None),
        (2, None),
        (3, None),
        (4, 100),
    ]

    close(engine, 2)

    assert rows(engine, tangle.addresses) == []


def test_a_circle_through_the_subjects_table_ends(engine):
    """laws:P22."""
    close(engine)

    assert rows(engine, tangle.teams)[0] == (1, None, "someone leads")
    people = {row[0]: row for row in rows(engine, tangle.people)}
    assert people[2][6] == people[3][6] == 1
    assert people[1][7] == 1


def test_rows_without_a_key_are_edited_one_by_one(engine):
    close(engine)

    assert rows(engine, tangle.visits) == [
        (1, None, "with someone"),
        (1, None, "with someone"),
        (2, "here", "with Grace Hopper"),
        (2, "here", "with Grace Hopper"),
        (3, "here", "with Alan Turing"),
        (3, "here", "with Alan Turing"),
    ]


def test_a_foreign_key_of_two_columns_is_followed(engine):
    close(engine)

    assert [row[3] for row in rows(engine, tangle.scores)] == [None, "well done", "well done"]


def test_values_become_coarser(engine):
    close(engine)

    ada = rows(engine, tangle.people)[0]
    assert ada[3:6] == (date(1970, 1, 1), "10", "192.0.2.0")


def test_a_placeholder_is_as_long_as_its_column_allows(engine):
    close(engine)

    login = rows(engine, tangle.people)[0][1]
    assert len(login) == 20
    assert login[0] == "-"
    assert set(login[1:]) <= set("0123456789abcdef")


def test_a_code_of_hexadecimal_digits_is_not_taken_for_a_placeholder(database):
    """Neither in the row, nor where it links the rows of another table to the person."""
    metadata = MetaData()
    code, number = personal(Placeholder()), Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    people = Table("people", metadata, number, Column("code", String(20), code, unique=True),
                   gone, data_subject(identifiers=["code"]))  # fmt: skip
    owner = Column("person_id", ForeignKey("people.id"), index=True)
    cards = Table("cards", metadata, owner, Column("code", String(20), code),
                  on_close(Redact(), via="person_id"))  # fmt: skip
    scans = Table("scans", metadata, Column("code", String(20), index=True),
                  on_close(Delete(), via=MatchBy("code", equals="people.code")))  # fmt: skip
    eraser, value = (
        Eraser(Policy.from_metadata(metadata), secret=tangle.KEY),
        "0123456789abcdef0123",
    )
    metadata.create_all(database)
    eraser.create_tables(database)
    with database.begin() as connection:
        connection.execute(insert(people).values(id=1, code=value))
        connection.execute(insert(cards).values(person_id=1, code=value))
        connection.execute(insert(scans).values(code=value))

    with database.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")
    with database.begin() as connection:
        finalized = eraser.finalize(connection, receipt)

    found = [row for table in metadata.tables.values() for row in rows(database, table)]
    assert value not in str(found)
    assert receipt.rows == 3
    assert finalized.search.is_clean


def test_a_placeholder_that_is_taken_is_made_again(engine):
    """The column leaves 76 bits; the first two candidates belong to somebody."""
    taken, fresh = secrets.token_hex(16), secrets.token_hex(16)
    with engine.begin() as connection:
        connection.execute(insert(tangle.people), [{"id": 9, "login": f"-{taken[:19]}"}])
    source = iter([taken, taken, fresh])

    close(engine, 2, random_source=lambda: next(source))

    with engine.connect() as connection:
        query = select(tangle.people.c.login).where(tangle.people.c.id == 2)
        assert connection.scalar(query) == f"-{fresh[:19]}"


def test_a_placeholder_that_is_always_taken_ends_in_an_error(engine):
    with engine.begin() as connection:
        connection.execute(insert(tangle.people), [{"id": 9, "login": "-taken"}])
    before = rows(engine, tangle.people)

    with pytest.raises(ConstraintError):
        close(engine, random_source=lambda: "taken")

    assert rows(engine, tangle.people) == before


def test_the_database_makes_tokens_for_each_row_by_default(engine):
    close(engine, 1)
    close(engine, 2)

    logins = [row[1] for row in rows(engine, tangle.people)]
    assert len(set(logins)) == 3


@pytest.mark.parametrize("subject", [1, 2, 3])
def test_the_plan_counts_what_is_done(engine, subject):
    """laws:P18, with several links, owned rows and edits."""
    with engine.begin() as connection:
        plan = tangle.eraser().plan(connection, subject)
    with engine.begin() as connection:
        receipt = tangle.eraser().close_account(connection, subject, actor="test")

    assert [(s.table, s.action, s.rows) for s in plan.steps] == [
        (s.table, s.action, s.rows) for s in receipt.steps
    ]


def test_closing_twice_changes_nothing(engine):
    close(engine)
    before = {t.name: rows(engine, t) for t in tangle.metadata.sorted_tables}

    close(engine)

    assert {t.name: rows(engine, t) for t in tangle.metadata.sorted_tables} == before


def test_deferred_keys_are_checked_before_the_receipt(database):
    """A DELETE under a deferred key answers "1 row", and only COMMIT would refuse it."""
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id")),
        on_close(Delete(), via="person_id"),
    )
    marks = Table(
        "marks",
        metadata,
        Column(
            "note_id",
            ForeignKey("notes.id", deferrable=True, initially="DEFERRED"),
            not_personal(),
        ),
        no_personal_data(reason="what a doctored policy says"),
    )
    metadata.create_all(database)
    eraser = Eraser(Policy.from_metadata(metadata), secret=tangle.KEY)
    eraser.create_tables(database)
    with database.begin() as connection:
        connection.execute(insert(people), [{"id": 1}])
        connection.execute(insert(notes), [{"id": 1, "person_id": 1}])
        connection.execute(insert(marks), [{"note_id": 1}])

    with pytest.raises(ConstraintError), database.begin() as connection:
        eraser.close_account(connection, 1, actor="test")

    with database.connect() as connection:
        assert connection.scalar(select(people.c.deleted_at)) is None
