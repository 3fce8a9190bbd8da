"""Accounts that were soft-deleted before Efface came, and those closed by fewer rules."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

from efface import (
    Clear,
    Delete,
    Eraser,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.eraser import closed_earlier
from efface.errors import (
    ActorIdentifiesUserError,
    NotClosedError,
    UnknownSubjectError,
    UnrecordedClosingError,
)
from tests.eraser.real_databases import ADA, GRACE, SECRET, add, close, column, created, users

LONG_AGO = datetime(2021, 5, 4, 12, 30, 15, 250_000, tzinfo=UTC)
TODAY = datetime(2026, 1, 1, tzinfo=UTC)


def posts(metadata, **rules):
    """Texts of users; *rules* are for its columns."""
    return Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), not_personal(), index=True),
        Column("body", Text, rules.get("body", not_personal())),
        Column("ip", String(45), rules.get("ip", not_personal())),
        on_close(Redact(), via="user_id"),
    )


def gone(number, at=LONG_AGO):
    return {"id": number, "email": f"user-{number}@x.example", "deleted_at": at}


def found(engine, eraser, **options):
    """All pages of `find_closed`."""
    keys, after = [], None
    with engine.connect() as connection:
        while page := eraser.find_closed(connection, after=after, **options):
            keys += page
            after = page[-1]
    return keys


# ---------------------------------------------------------------- which accounts


def test_accounts_are_found_by_who_closed_them_and_when(database):
    metadata = MetaData()
    people = users(metadata)
    eraser = created(metadata, database)
    young = TODAY - timedelta(seconds=1)
    add(database, people, *(gone(n) for n in (1, 2)), gone(3, young), gone(4, TODAY))
    add(database, people, {"id": 5, "email": ADA, "deleted_at": None})
    with database.begin() as connection:
        eraser.adopt(connection, 2, actor="test")

    assert found(database, eraser, before=TODAY, recorded=False) == [1, 3]
    assert found(database, eraser, before=TODAY, recorded=True) == [2]
    assert found(database, eraser, before=young, recorded=False) == [1]
    assert found(database, eraser, before=LONG_AGO, recorded=False) == []


def test_they_are_found_page_by_page(database, monkeypatch):
    monkeypatch.setattr(closed_earlier, "PAGE", 3)
    metadata = MetaData()
    people = users(metadata)
    eraser = created(metadata, database)
    add(database, people, *map(gone, range(1, 15)))
    with database.begin() as connection:
        # Whole pages of accounts that are recorded are no end.
        for number in range(3, 12):
            eraser.adopt(connection, number, actor="test")

    assert found(database, eraser, before=TODAY, recorded=False) == [1, 2, 12, 13, 14]
    with database.connect() as connection:
        assert eraser.preview_adoption(connection, before=TODAY).accounts == 5


def test_their_keys_may_be_of_any_kind(database):
    metadata = MetaData()
    people = Table(
        "users",
        metadata,
        Column("shop", Integer, not_personal(), primary_key=True),
        Column("key", Uuid, not_personal(), primary_key=True),
        Column("email", Text, personal(Placeholder.email())),
        Column("deleted_at", DateTime()),
        data_subject(identifiers=["email"]),
    )
    eraser = created(metadata, database)
    keys = [(shop, UUID(int=n)) for shop in (1, 2) for n in (3, 4)]
    naive = LONG_AGO.replace(tzinfo=None)
    rows = [{"shop": s, "key": k, "email": f"{s}-{k}@x.example"} for s, k in keys]
    add(database, people, *({**row, "deleted_at": naive} for row in rows))
    with database.begin() as connection:
        eraser.adopt(connection, keys[1], actor="test")

    assert found(database, eraser, before=TODAY, recorded=False) == [keys[0], *keys[2:]]
    with database.connect() as connection:
        preview = eraser.preview_adoption(connection, before=TODAY)
    assert [(preview.accounts, step.rows) for step in preview.steps] == [(3, 3)]


# ---------------------------------------------------------------- adopting


def test_the_preview_counts_what_adopting_changes_and_changes_nothing(database):
    metadata = MetaData()
    people = users(metadata)
    texts = posts(metadata, ip=personal(Clear()))
    eraser = created(metadata, database)
    add(database, people, *map(gone, (1, 2)), {"id": 3, "email": ADA, "deleted_at": None})
    rows = [{"id": n, "user_id": 1 + n % 3, "body": "x", "ip": "192.0.2.1"} for n in range(9)]
    add(database, texts, *rows)

    with database.connect() as connection:
        preview = eraser.preview_adoption(connection, before=TODAY)

    assert preview.accounts == 2
    assert {step.table: step.rows for step in preview.steps} == {"users": 2, "posts": 6}
    assert column(database, texts, "ip") == ["192.0.2.1"] * 9
    done = 0
    for key in found(database, eraser, before=TODAY, recorded=False):
        with database.begin() as connection:
            receipt = eraser.adopt(connection, key, actor="test")
        with database.begin() as connection:
            receipt = eraser.finalize(connection, receipt)
        assert receipt.search.is_clean
        assert receipt.closed_at == LONG_AGO
        done += receipt.rows
    assert done == sum(step.rows for step in preview.steps)


def test_the_plan_of_an_account_that_is_still_to_be_erased_has_its_steps(database):
    metadata = MetaData()
    people = users(metadata)
    texts = posts(metadata, ip=personal(Clear()))
    eraser = created(metadata, database)
    add(database, people, gone(1))
    add(database, texts, {"id": 1, "user_id": 1, "ip": "192.0.2.1"})

    with database.begin() as connection:
        plan, steps = eraser.plan(connection, 1), eraser.preview(connection, 1)
        receipt = eraser.adopt(connection, 1, actor="test")

        assert {step.table: step.rows for step in plan.steps} == {"users": 1, "posts": 1}
        assert [step.table for step in steps] == [step.table for step in plan.steps]
        assert [step.rows for step in receipt.steps] == [step.rows for step in plan.steps]
        assert eraser.plan(connection, 1).steps == eraser.preview(connection, 1) == ()


# ---------------------------------------------------------------- erasing again


@pytest.fixture
def closed(database):
    """An account that was closed before anybody thought of addresses, and one that is open."""
    metadata = MetaData()
    people, texts = users(metadata), posts(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    rows = [{"id": n, "user_id": n, "body": f"by {ADA}", "ip": f"192.0.2.{n}"} for n in (1, 2)]
    add(database, texts, *rows)
    return texts, close(database, eraser)


def of_today():
    """The eraser with more rules."""
    metadata = MetaData()
    users(metadata)
    posts(metadata, ip=personal(Clear()), body=personal(ReplaceMentions("somebody")))
    return Eraser(Policy.from_metadata(metadata), secret=SECRET)


def test_what_a_later_rule_covers_is_erased_and_recorded(database, closed):
    (texts, first), eraser = closed, of_today()

    for changed in (1, 0):
        with database.begin() as connection:
            receipt = eraser.erase_again(connection, 1, actor="ticket 8")
        assert {step.table: step.rows for step in receipt.steps} == {"users": 0, "posts": changed}
        assert receipt.repeats == first.reference
        assert receipt.closed_at == first.closed_at
        assert (receipt.search, receipt.actor) == (None, "ticket 8")

    assert column(database, texts, "ip") == [None, "192.0.2.2"]
    # Who is mentioned is not known any more.
    assert column(database, texts, "body") == [f"by {ADA}"] * 2
    assert eraser.unrepeatable() == ("posts.body",)
    with database.connect() as connection:
        assert eraser.find_receipt(connection, 1).reference == first.reference
        assert eraser.get_receipt(connection, receipt.reference) == receipt
        assert [each.repeats for each in eraser.receipts(connection)] == [
            None, first.reference, first.reference,
        ]  # fmt: skip
    # All have one account.
    assert found(database, eraser, before=datetime.now(UTC), recorded=True) == [1]


@pytest.mark.parametrize(
    ("key", "error"),
    [(2, NotClosedError), (3, UnrecordedClosingError), (4, UnknownSubjectError)],
)
def test_an_account_that_efface_did_not_close_is_not_erased_again(database, closed, key, error):
    texts, _ = closed
    metadata = MetaData()
    add(database, users(metadata), gone(3))
    before = column(database, texts, "ip")

    with database.connect() as connection, pytest.raises(error) as caught:
        of_today().erase_again(connection, key, actor="test")

    assert "othing was changed" in str(caught.value) or error is UnknownSubjectError
    assert column(database, texts, "ip") == before


def test_an_address_that_came_back_is_erased_and_names_no_actor(database, closed):
    people, eraser = users(MetaData()), of_today()
    with database.begin() as connection:
        connection.execute(people.update().where(people.c.id == 1).values(email=ADA))

    with database.connect() as connection, pytest.raises(ActorIdentifiesUserError):
        eraser.erase_again(connection, 1, actor=f"a letter of {ADA}")
    assert ADA in column(database, people, "email")

    with database.begin() as connection:
        receipt = eraser.erase_again(connection, 1, actor="ticket 8")
    assert ADA not in column(database, people, "email")
    assert next(step.rows for step in receipt.steps if step.table == "users") == 1
    assert ADA not in f"{receipt!r} {receipt.to_json()}"


def test_what_is_found_by_a_value_of_the_user_is_not_found_again():
    metadata = MetaData()
    users(metadata)
    Table(
        "letters",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("to", Text, index=True),
        on_close(Delete(), via=MatchBy("to", equals="users.email")),
    )
    Table(
        "visits",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", Integer, index=True),
        on_close(Delete(), via=MatchBy("user_id", equals="users.id")),
    )

    eraser = Eraser(Policy.from_metadata(metadata), secret=SECRET)

    assert eraser.unrepeatable() == ("letters.to",)
