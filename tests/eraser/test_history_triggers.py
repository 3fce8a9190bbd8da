"""Triggers that keep the old row in a table of history, while an account is closed."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select, text

from efface import Clear, Delete, MatchBy, Redact, Replace, not_personal, on_close, personal
from efface.errors import RowCountError
from tests.eraser.real_databases import ADA, GRACE, add, close, created, users

FUNCTION = """CREATE FUNCTION keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO {history} ({columns}) VALUES ({old}); RETURN OLD; END $$"""
TRIGGERS = {
    "postgresql": "CREATE TRIGGER keep AFTER {event} ON {table} FOR EACH ROW "
    "EXECUTE FUNCTION keep_{table}()",
    "sqlite": "CREATE TRIGGER keep_{table} AFTER {event} ON {table} "
    "BEGIN INSERT INTO {history} ({columns}) VALUES ({old}); END",
}


def keep_history(engine, table, history, event, columns):
    """Let the database keep each old row of a table."""
    facts = {
        "table": table,
        "history": history,
        "event": event,
        "columns": ", ".join(columns.values()),
        "old": ", ".join(f"OLD.{name}" for name in columns),
    }
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(FUNCTION.format(**facts)))
        connection.execute(text(TRIGGERS[engine.dialect.name].format(**facts)))


def everything(engine, table):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(table))]


@pytest.fixture(params=["one", "batch"])
def leave(request):
    if request.param == "one":
        return close

    def close_both(engine, eraser):
        with engine.begin() as connection:
            return eraser.close_accounts(connection, [1], actor="test")

    return close_both


def test_what_a_trigger_keeps_of_the_user_is_erased_with_the_rest(database, leave):
    metadata = MetaData()
    people = users(metadata, Column("name", Text, personal(Clear())))
    history = Table(
        "users_history",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("user_id", Integer, not_personal()),
        Column("email", Text, personal(Clear())),
        on_close(Redact(), via=MatchBy("user_id", equals="users.id")),
    )
    eraser = created(metadata, database)
    keep_history(database, "users", "users_history", "UPDATE", {"id": "user_id", "email": "email"})
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, history, {"user_id": 1, "email": "old@lovelace.example"})
    add(database, history, {"user_id": 2, "email": "old@hopper.example"})

    leave(database, eraser)

    found = everything(database, history)
    assert {(user_id, email) for _, user_id, email in found} == {
        (1, None), (2, "old@hopper.example"),
    }  # fmt: skip
    assert len(found) > 2, "the trigger wrote nothing"


def test_what_a_trigger_keeps_of_deleted_rows_goes_too_and_is_counted(database, leave):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("body", Text),
        on_close(Delete(), via="user_id"),
    )
    # Its name comes first, so that it is written before the notes.
    archive = Table(
        "archive",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("body", Text),
        on_close(Delete(), via="user_id"),
    )
    eraser = created(metadata, database)
    keep_history(database, "notes", "archive", "DELETE", {"user_id": "user_id", "body": "body"})
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    rows = [{"user_id": key, "body": "x"} for key in (1, 2)]
    add(database, notes, *rows)
    add(database, archive, *rows)

    receipt = leave(database, eraser)

    assert [row[1] for row in everything(database, archive)] == [2]
    assert next(step.rows for step in receipt.steps if step.table == "archive") == 2


def test_a_history_of_a_history_is_erased_as_well(database):
    metadata = MetaData()
    people = users(metadata)
    # The order of their names is the opposite of the order in which triggers write them.
    texts, archive, attic = (
        Table(
            name,
            metadata,
            Column("number", Integer, primary_key=True),
            Column("user_id", ForeignKey("users.id"), index=True),
            Column("body", Text),
            on_close(Delete(), via="user_id"),
        )
        for name in ("c_notes", "b_archive", "a_attic")
    )
    eraser = created(metadata, database)
    kept = {"user_id": "user_id", "body": "body"}
    keep_history(database, "c_notes", "b_archive", "DELETE", kept)
    keep_history(database, "b_archive", "a_attic", "DELETE", kept)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, texts, *({"user_id": key, "body": "x"} for key in (1, 2)))

    receipt = close(database, eraser)

    assert everything(database, attic) == everything(database, archive) == []
    assert [row[1] for row in everything(database, texts)] == [2]
    assert {step.table: step.rows for step in receipt.steps if step.table != "users"} == {
        "c_notes": 1, "b_archive": 1, "a_attic": 1,
    }  # fmt: skip


DERIVED = {
    "postgresql": (
        (
            "CREATE FUNCTION derive() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.words := upper(NEW.body); RETURN NEW; END $$"
        ),
        "CREATE TRIGGER derive BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION derive()",
    ),
    "sqlite": (
        (
            "CREATE TRIGGER derive AFTER UPDATE ON notes BEGIN "
            "UPDATE notes SET words = upper(body) WHERE number = NEW.number; END"
        ),
    ),
}


def test_a_value_that_a_trigger_derives_from_others_is_written_and_counted_once(database):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), not_personal(), index=True),
        Column("body", Text, personal(Replace("gone"))),
        Column("words", Text, personal(Clear())),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    with database.begin() as connection:
        for statement in DERIVED[database.dialect.name]:
            connection.execute(text(statement))
    add(database, people, {"id": 1, "email": ADA})
    add(database, notes, {"user_id": 1, "body": ADA, "words": ADA.upper()})

    receipt = close(database, eraser)

    assert everything(database, notes) == [(1, 1, "gone", "GONE")]
    assert next(step.rows for step in receipt.steps if step.table == "notes") == 1


IGNORED = {
    "postgresql": ("CREATE RULE keep AS ON {event} TO notes DO INSTEAD NOTHING",),
    "sqlite": ("CREATE TRIGGER keep BEFORE {event} ON notes BEGIN SELECT RAISE(IGNORE); END",),
}


@pytest.mark.parametrize(
    ("event", "rule"), [("DELETE", Delete()), ("UPDATE", Redact())], ids=["delete", "update"]
)
def test_a_change_that_the_database_ignores_is_not_called_done(database, leave, event, rule):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), not_personal(), index=True),
        Column("body", Text, personal(Clear()) if event == "UPDATE" else not_personal()),
        on_close(rule, via="user_id"),
    )
    eraser = created(metadata, database)
    with database.begin() as connection:
        for statement in IGNORED[database.dialect.name]:
            connection.execute(text(statement.format(event=event)))
    add(database, people, {"id": 1, "email": ADA})
    add(database, notes, {"user_id": 1, "body": "hers"})
    before = everything(database, people), everything(database, notes)

    with pytest.raises(RowCountError, match="notes in 1 row, but the database wrote 0 rows"):
        leave(database, eraser)

    assert (everything(database, people), everything(database, notes)) == before
