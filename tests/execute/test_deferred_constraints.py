"""Deferred references on SQLite: looked at before the commit, and only where one may break."""

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table, create_engine
from sqlalchemy.pool import StaticPool

from efface import (
    Clear,
    Delete,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    Replace,
    Unlink,
    data_subject,
    not_personal,
    on_close,
    personal,
)

DEFERRED = {"deferrable": True, "initially": "DEFERRED"}


def schema(rows, reply):
    """People with posts, and notes by others that answer posts."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80), personal(Placeholder.email()), unique=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("author_id", ForeignKey("people.id", **DEFERRED), index=True),
        Column("text", String(80), personal(Clear())),
        on_close(rows, via="author_id"),
    )
    Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("post_id", ForeignKey("posts.id", **DEFERRED), reply, index=True),
        Column("who", ForeignKey("people.id", **DEFERRED), index=True),
        on_close(rows, via="who"),
    )
    return metadata


@pytest.mark.parametrize(
    ("rows", "reply", "is_looked_at"),
    [
        (Redact(), not_personal(), False),
        (Redact(), personal(Unlink()), False),
        (Redact(), personal(Replace(0)), True),
        (Delete(), not_personal(), True),
    ],
)
def test_every_reference_is_looked_at_only_where_closing_may_break_one(rows, reply, is_looked_at):
    metadata = schema(rows, reply)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret="a key for the tests alone")
    eraser.create_tables(engine)
    sent = []
    with engine.begin() as connection:
        connection.execute(metadata.tables["people"].insert(), {"id": 1, "email": "a@example.org"})
        connection.connection.dbapi_connection.set_trace_callback(sent.append)
        eraser.close_account(connection, 1, actor="test")
        connection.connection.dbapi_connection.set_trace_callback(None)
    engine.dispose()

    assert any("DELETE" in each or "UPDATE" in each for each in sent)
    assert ("PRAGMA foreign_key_check" in sent) is is_looked_at
