"""Closing an account: what it does to the rows of a person, and to nobody else's."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from efface import Delete, Eraser, Policy, Revoke, data_subject, on_close
from efface.plan.closing_subjects import as_utc
from tests.eraser.close_account.forum_rows import close, row, rows, rows_of
from tests.support.schemas import forum
from tests.support.schemas.forum import Newsletter, Post, Token, User


def test_the_persons_row_stays_as_a_tombstone(engine):
    """cases:CLO-01 for the row itself."""
    close(engine)

    ada = row(engine, 1)
    assert (ada.name, ada.hashed_password, ada.bio, ada.locale) == (None, None, "", "en")
    assert ada.email.startswith("anonymized-")
    assert ada.email.endswith("@users.invalid")
    assert as_utc(ada.deleted_at) == forum.NOW


def test_credentials_go_texts_lose_the_name_and_records_stay(engine):
    before = rows(engine)

    close(engine)

    after = rows(engine)
    assert [token.user_id for token in rows_of(engine, Token)] == [2, 2]
    assert after["invoices"] == before["invoices"]
    assert [post.body for post in rows_of(engine, Post) if post.author_id == 1] == [
        "Write to a former member or ask a former member.",
        "Nothing about anybody.",
        "Plain.",
    ]
    assert [post.details for post in rows_of(engine, Post) if post.author_id == 1] == [
        {"by": ["a former member"]},
        {"by": []},
        None,
    ]


def test_nobody_else_changes_by_a_byte(engine):
    """laws:P3, laws:P4: compared as the database has the rows, below all types."""
    queries = (
        "SELECT * FROM users WHERE id = 2",
        "SELECT id, title, body, CAST(details AS TEXT), ip FROM posts WHERE author_id = 2",
        "SELECT * FROM orders WHERE user_id = 2",
        "SELECT * FROM users_tokens WHERE user_id = 2",
        "SELECT * FROM newsletter WHERE address = 'grace@example.org'",
        "SELECT * FROM categories",
    )

    def others():
        with engine.connect() as connection:
            return [sorted(connection.execute(text(query)).all()) for query in queries]

    before = others()

    close(engine)

    assert others() == before
    assert all(before)


def test_values_that_hold_no_mention_stay_to_the_byte(engine):
    """A JSON document that is only read must not be written back in other words."""
    document = '{ "n": 12345678901234567890.0, "by":"Ada Lovelace" }'
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO posts (id, author_id, title, body, details) VALUES (90,1,'t','b',:d)"
            ),
            {"d": document},
        )
        connection.execute(
            text(
                "INSERT INTO posts (id, author_id, title, body, details) "
                "VALUES (91, 1, 't', 'ada@example.org', NULL)"
            )
        )

    close(engine)

    with engine.connect() as connection:
        query = text("SELECT id, CAST(details AS TEXT) FROM posts WHERE id > 89")
        found = dict(connection.execute(query).all())
    assert found == {90: document.replace("Ada Lovelace", "a former member"), 91: None}


def test_whoever_watches_is_told_after_each_table_and_before_anything_is_committed(engine):
    told = []

    def on_progress(done, total):
        with engine.connect() as elsewhere:
            told.append((done, total, elsewhere.scalar(select(User.deleted_at).limit(1))))

    with engine.begin() as connection:
        eraser = forum.eraser()
        eraser.close_account(connection, 1, actor="test", on_progress=on_progress)
        closed = list(told)
        eraser.close_account(connection, 1, actor="test", on_progress=on_progress)

    total = closed[0][1]
    assert total > 2
    assert closed == [(done, total, None) for done in range(1, total + 1)]
    assert told == closed  # a second time there is nothing to do, and nothing to tell


def reusable():
    """A schema in which the person's row goes, so that SQLite gives the key out again."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80)),
        data_subject(Delete(), identifiers=["email"]),
    )
    Table(
        "tokens",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id"), nullable=False),
        on_close(Revoke(), via="person_id"),
    )
    return metadata


def test_a_key_given_out_again_belongs_to_somebody_new():  # only SQLite does so
    """The second pass of the first closing must not touch whoever has the key now."""
    metadata = reusable()
    people, tokens = metadata.tables["people"], metadata.tables["tokens"]
    engine = forum.engine_of()
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY, clock=lambda: forum.NOW)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(people), [{"email": "ada@example.org"}])
        connection.execute(insert(tokens), [{"person_id": 1}])
        first = eraser.close_account(connection, 1, actor="test")
        assert connection.scalar(select(func.count()).select_from(people)) == 0
        connection.execute(insert(people), [{"email": "grace@example.org"}])
        connection.execute(insert(tokens), [{"person_id": 1}])
        assert connection.scalar(select(people.c.id)) == 1

        finalized = eraser.finalize(connection, first)

        assert connection.scalar(select(func.count()).select_from(tokens)) == 1
        second = eraser.close_account(connection, 1, actor="test")

    assert finalized.late == 0
    assert finalized.search.is_clean
    assert not second.already_closed
    assert second.reference != first.reference
    engine.dispose()


def test_a_tombstones_key_given_out_again_is_an_open_account(engine):
    """The state is read from the row, never from our table by key."""
    first = close(engine)
    with engine.begin() as connection:
        connection.execute(update(Post).where(Post.author_id == 1).values(author_id=2))
        connection.execute(update(forum.Order).values(user_id=2))
        connection.execute(delete(User).where(User.id == 1))
        connection.execute(insert(User), [{"id": 1, "email": "new@example.org", "bio": ""}])

    with engine.begin() as connection:
        forum.eraser().finalize(connection, first)
    assert row(engine, 1).email == "new@example.org"

    second = close(engine, clock=lambda: forum.NOW + timedelta(seconds=1))
    assert not second.already_closed


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_person_whose_every_identifier_is_blank_touches_nobody(engine, blank):
    with engine.begin() as connection:
        connection.execute(insert(User), [{"id": 5, "email": blank, "name": None, "bio": ""}])
        connection.execute(insert(Newsletter), [{"address": blank}])
        post = {"author_id": 5, "title": "t", "body": f"{blank} a {blank}", "details": None}
        connection.execute(insert(Post), [post])
    before = rows(engine)

    receipt = close(engine, 5)
    with engine.begin() as connection:
        finalized = forum.eraser().finalize(connection, receipt)

    after = rows(engine)
    assert {n for n in before if before[n] != after[n]} == {"users"}
    assert [u for u in before["users"] if u not in after["users"]] == [
        u for u in before["users"] if u[0] == 5
    ]
    assert finalized.search.is_clean


def test_ten_rounds_of_leaving_and_coming_back(engine):
    """pitfalls:P-01: a placeholder made from the address would collide the second time."""
    for number in range(10, 20):
        with engine.begin() as connection:
            forum.move_in(connection, number, "back@example.org", "Back Again")
        assert not close(engine, number).already_closed

    emails = [user.email for user in rows_of(engine, User)]
    assert len(set(emails)) == 12


def test_the_time_is_kept_in_utc_and_to_the_second(engine):
    """T08, T14."""
    offset = timezone(timedelta(hours=5, minutes=30))
    odd = datetime(2026, 5, 4, 18, 0, 15, 987654, tzinfo=offset)

    receipt = close(engine, clock=lambda: odd)

    assert receipt.closed_at == forum.NOW
    assert receipt.closed_at.tzinfo == UTC
    assert as_utc(row(engine, 1).deleted_at) == forum.NOW
