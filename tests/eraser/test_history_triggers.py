"""Triggers that keep the old row in a table of history, while an account is closed."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select, text

from efface import Clear, Delete, MatchBy, Redact, not_personal, on_close, personal
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
