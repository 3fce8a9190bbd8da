"""Tables that refer to each other: what goes is released first, or the circle is refused."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select

from efface import Clear, Delete, Redact, Revoke, Unlink, on_close, personal
from tests.eraser.real_databases import ADA, GRACE, add, close, created, users

NULL, NOT_NULL = {}, {"nullable": False}


def notes_and_revisions(metadata, current, action=Delete):
    users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True, nullable=False),
        Column(
            "current_id", Integer, ForeignKey("revisions.id", **current.pop("key", {})), **current
        ),
        on_close(action(), via="user_id"),
    )
    revisions = Table(
        "revisions",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("note_id", ForeignKey("notes.id"), index=True, nullable=False),
        Column("body", Text),
        on_close(action(), via="note_id"),
    )
    return notes, revisions


def keys(engine, table):
    with engine.connect() as connection:
        return list(connection.scalars(select(table.c.id).order_by(table.c.id)))


@pytest.mark.parametrize("action", [Delete, Revoke])
def test_rows_that_refer_to_each_other_go_together(database, action):
    metadata = MetaData()
    notes, revisions = notes_and_revisions(metadata, {}, action)
    eraser = created(metadata, database)
    assert eraser.check() == ()
    people = metadata.tables["users"]
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, notes, {"id": 1, "user_id": 1}, {"id": 2, "user_id": 2})
    add(database, revisions, *({"id": i, "note_id": i, "body": "x"} for i in (1, 2)))
    with database.begin() as connection:
        connection.execute(notes.update().values(current_id=notes.c.id))

    receipt = close(database, eraser)

    assert {step.table: step.rows for step in receipt.steps} == {
        "notes": 1, "revisions": 1, "users": 1,
    }  # fmt: skip
    with database.connect() as connection:
        assert connection.execute(select(notes.c.id, notes.c.current_id)).all() == [(2, 2)]
    assert keys(database, revisions) == [2]


def test_a_circle_that_is_checked_at_the_commit_needs_no_null(database):
    deferred = {"deferrable": True, "initially": "DEFERRED"}
    metadata = MetaData()
    notes, revisions = notes_and_revisions(metadata, {"nullable": False, "key": deferred})
    eraser = created(metadata, database)
    assert eraser.check() == ()
    people = metadata.tables["users"]
    add(database, people, {"id": 1, "email": ADA})
    with database.begin() as connection:
        connection.execute(notes.insert(), {"id": 1, "user_id": 1, "current_id": 1})
        connection.execute(revisions.insert(), {"id": 1, "note_id": 1, "body": "x"})

    close(database, eraser)

    assert (keys(database, notes), keys(database, revisions)) == ([], [])


def test_a_circle_without_null_is_refused_once_and_spelled(database):
    metadata = MetaData()
    notes_and_revisions(metadata, {"nullable": False})
    (problem,) = created(metadata, database).check()

    assert (problem.code, problem.table, problem.column) == ("E204", "notes", "current_id")
    assert "notes.current_id → revisions.note_id → notes" in problem.text


def test_the_users_own_row_lets_go_of_what_is_deleted(database):
    """It is written last, and its picture is deleted before."""
    metadata = MetaData()
    people = users(metadata, Column("photo_id", ForeignKey("photos.id"), personal(Unlink())))
    photos = Table(
        "photos",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        on_close(Delete(), via="user_id"),
    )
    eraser = created(metadata, database)
    assert eraser.check() == ()
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, photos, {"id": 1, "user_id": 1}, {"id": 2, "user_id": 2})
    with database.begin() as connection:
        connection.execute(people.update().values(photo_id=people.c.id))

    close(database, eraser)

    assert keys(database, photos) == [2]
    with database.connect() as connection:
        found = connection.execute(select(people.c.id, people.c.photo_id).order_by(people.c.id))
        assert found.all() == [(1, None), (2, 2)]


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_a_circle_of_three_is_broken_where_null_is_accepted(database, order):
    """Whichever table the order would begin with."""
    metadata = MetaData()
    people = users(metadata)
    first, second, third = order
    tables = {}
    for name, target, options in (
        (first, second, NOT_NULL),
        (second, third, NOT_NULL),
        (third, first, NULL),
    ):
        tables[name] = Table(
            name,
            metadata,
            Column("id", Integer, primary_key=True),
            Column("user_id", ForeignKey("users.id"), index=True),
            Column("next_id", ForeignKey(f"{target}.id"), **options),
            Column("text", Text, personal(Clear())),
            on_close(Delete(), via="user_id"),
        )
    eraser = created(metadata, database)
    # Rows of others may be in the circle as well.
    assert {p.code for p in eraser.check()} == {"W103"}
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    for name in (third, second, first):
        rows = [{"id": i, "user_id": i, "next_id": None if name == third else i} for i in (1, 2)]
        add(database, tables[name], *rows)
    with database.begin() as connection:
        connection.execute(tables[third].update().values(next_id=tables[third].c.id))

    close(database, eraser)

    assert [keys(database, table) for table in tables.values()] == [[2], [2], [2]]


def test_a_row_that_stays_lets_go_inside_a_circle(database):
    metadata = MetaData()
    people = users(metadata)
    posts = Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("cover_id", ForeignKey("covers.id"), personal(Unlink())),
        on_close(Redact(), via="user_id"),
    )
    covers = Table(
        "covers",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("post_id", ForeignKey("posts.id"), index=True, nullable=False),
        on_close(Delete(), via="post_id"),
    )
    eraser = created(metadata, database)
    assert eraser.check() == ()
    add(database, people, {"id": 1, "email": ADA})
    add(database, posts, {"id": 1, "user_id": 1})
    add(database, covers, {"id": 1, "post_id": 1})
    with database.begin() as connection:
        connection.execute(posts.update().values(cover_id=1))

    close(database, eraser)

    assert (keys(database, posts), keys(database, covers)) == ([1], [])
