"""The plan: a value that says what would happen, and changes nothing."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Uuid,
    create_engine,
    insert,
)

from efface import Basis, Eraser, Plan, Policy, Retain, data_subject, on_close
from efface.errors import SubjectKeyError, UnknownSubjectError
from tests.support.schemas import forum


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


def test_a_plan_reads_as_a_table(engine):
    with engine.begin() as connection:
        text = forum.eraser().plan(connection, 1).explain()

    first, _, *lines = text.splitlines()
    assert first.startswith("Closing users 1 · plan ")
    assert lines == [
        "  revoke   users_tokens   2 rows   through user_id",
        (
            "  retain   invoices       2 rows   until 2036-12-31                "
            "legal obligation: tax law"
        ),
        "  delete   newsletter      1 row   through address = users.email",
        "  redact   orders         2 rows   through user_id                 note",
        (
            "  redact   posts          3 rows   through author_id               "
            "body, details, ip (2 of them change)"
        ),
        (
            "  redact   users           1 row   leaves a tombstone              "
            "email, name, hashed_password, bio"
        ),
        "",
        "  6 steps · 11 rows · one transaction · nothing has been changed yet",
    ]


def test_planning_writes_nothing(engine):
    """laws:P18."""
    with engine.connect() as connection:
        before = forum.everything(connection)

        forum.eraser().plan(connection, 1)

        assert forum.everything(connection) == before


def test_a_plan_survives_json(engine):
    with engine.begin() as connection:
        plan = forum.eraser().plan(connection, 1)

    again = Plan.from_json(plan.to_json())

    assert again == plan
    assert again.digest == plan.digest


def test_a_plan_holds_nothing_of_the_person_but_the_key_that_was_typed(engine):
    with engine.begin() as connection:
        plan = forum.eraser().plan(connection, 1)

    for text in (repr(plan), plan.to_json(), plan.explain()):
        assert "ada@example.org" not in text
        assert "Lovelace" not in text


def test_the_plan_of_a_closed_account_is_empty(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        eraser.close_account(connection, 1, actor="test")

        plan = eraser.plan(connection, 1)

    assert plan.is_empty
    assert plan.steps == ()


def test_nothing_to_do_is_said_too(engine):
    with engine.begin() as connection:
        connection.execute(insert(forum.User), [{"id": 9, "email": "new@example.org", "bio": ""}])

        steps = forum.eraser().plan(connection, 9).steps

    assert {step.table: step.rows for step in steps} == {
        "users_tokens": 0,
        "invoices": 0,
        "newsletter": 0,
        "orders": 0,
        "posts": 0,
        "users": 1,
    }


def test_an_unknown_person_is_refused(engine):
    with engine.begin() as connection, pytest.raises(UnknownSubjectError) as caught:
        forum.eraser().plan(connection, 77)

    assert "Nothing was changed." in str(caught.value)
    assert "77" not in str(caught.value)


@pytest.mark.parametrize("key", ["1", 1.0, True, None, (1, 2), (), object()])
def test_a_key_of_the_wrong_type_is_refused_before_anything_runs(engine, key):
    with engine.connect() as connection, pytest.raises(SubjectKeyError) as caught:
        forum.eraser().plan(connection, key)

    assert "is of type int" in str(caught.value)


def test_a_uuid_is_a_key_too():
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY)
    eraser.create_tables(engine)
    key = uuid4()
    with engine.begin() as connection:
        connection.execute(insert(people), [{"id": key}])

        receipt = eraser.close_account(connection, key, actor="test")

        assert connection.scalars(people.select()).all() == [UUID(str(key))]
        assert eraser.close_account(connection, key, actor="test") == receipt
    engine.dispose()


@pytest.mark.parametrize(
    ("start", "until"),
    [
        ("closing", date(2027, 5, 4)),
        ("calendar-year-end", date(2027, 12, 31)),
        ("issued_on", date(2025, 3, 2)),
    ],
)
def test_a_term_starts_where_the_policy_says(start, until):
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    bills = Table(
        "bills",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        Column("issued_on", Date),
        on_close(Retain("P1Y", Basis.CONTRACT, "a warranty", start=start), via="person_id"),
    )
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY, clock=lambda: forum.NOW)
    eraser.create_tables(engine)

    with engine.begin() as connection:
        connection.execute(insert(people), [{"id": 1}])
        issued = [date(2023, 7, 1), date(2024, 3, 2)]
        connection.execute(insert(bills), [{"person_id": 1, "issued_on": day} for day in issued])
        step = eraser.plan(connection, 1).steps[0]

    assert (step.reached, step.rows, step.until) == (2, 0, until)
    assert step.reason == "contract: a warranty"
    engine.dispose()
