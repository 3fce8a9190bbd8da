"""The person's login is the primary key, and other tables repeat it; two schemas of one name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table, Text

from efface import (
    Clear,
    Delete,
    Eraser,
    Policy,
    Redact,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)


def by_login(*login: Any) -> MetaData:
    """Return people whose login is their key, and two tables that repeat it."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("login", String(40), *login, primary_key=True),
        Column("name", String(80), personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["login", "name"]),
    )
    Table(
        "days",
        metadata,
        Column("login", ForeignKey("people.login"), primary_key=True),
        Column("day", Integer, primary_key=True),
        Column("note", Text, personal(ReplaceMentions("someone"))),
        on_close(Redact(), via="login"),
    )
    Table(
        "sessions",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("login", ForeignKey("people.login"), index=True),
        on_close(Delete(), via="login"),
    )
    return metadata


def two_schemas() -> MetaData:
    """Return a shop and a forum that both call a table ``notes``."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(80), personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["name"]),
        schema="shop",
    )
    for schema, action in (("shop", Delete()), ("forum", Redact())):
        Table(
            "notes",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("person_id", ForeignKey("shop.people.id"), index=True),
            Column("text", Text, personal(ReplaceMentions("someone"))),
            Column("kind", String(20), not_personal()),
            on_close(action, via="person_id"),
            schema=schema,
        )
    return metadata


def eraser(metadata: MetaData) -> Eraser:
    """Return an eraser with a clock that stands still."""
    return Eraser(Policy.from_metadata(metadata), secret=KEY, clock=lambda: NOW)
