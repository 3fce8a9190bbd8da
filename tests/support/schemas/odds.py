"""Columns of every type, and constraints of every kind that values can be made for."""

from __future__ import annotations

import enum
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.types import UserDefinedType

from efface import (
    Clear,
    Delete,
    Placeholder,
    Redact,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.policy.actions import Basis

metadata = MetaData()


class Mood(enum.Enum):
    """An enumeration of the application's."""

    GOOD = "good"
    BAD = "bad"


class Shouted(TypeDecorator):
    """A type of the application's."""

    impl = String(60)
    cache_ok = True

    def process_bind_param(self, value, _dialect):
        return value and value.upper()


class Point(UserDefinedType):
    """A type that only the application knows."""

    cache_ok = True

    def get_col_spec(self, **_):
        return "TEXT"


people = Table(
    "people",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", String(60), personal(Placeholder.email()), unique=True, nullable=False),
    Column("code", String(4), personal(Clear()), unique=True),
    Column("mood", Enum(Mood), personal(Clear())),
    Column("letter", Enum("a", "b", name="letters"), personal(Clear())),
    Column("is_nice", Boolean, personal(Clear())),
    Column("born_on", Date, personal(Clear())),
    Column("wakes_at", Time, personal(Clear())),
    Column("sleeps", Interval, personal(Clear())),
    Column("seen_at", DateTime, personal(Clear())),
    Column("age", SmallInteger, personal(Clear())),
    Column("height", Float, personal(Clear())),
    Column("share", Numeric(4, 2), personal(Clear())),
    Column("photo", LargeBinary, personal(Clear())),
    Column("settings", JSON, personal(Clear())),
    Column("loud", Shouted, personal(Clear())),
    Column("best_friend_id", ForeignKey("people.id")),
    Column("home_id", ForeignKey("homes.id", use_alter=True)),
    Column("deleted_at", DateTime(timezone=True)),
    CheckConstraint("age IS NULL OR age BETWEEN 18 AND 90"),
    CheckConstraint("email LIKE '%@%'"),
    CheckConstraint("length(code) = 4"),
    CheckConstraint("seen_at IS NULL OR born_on IS NULL OR seen_at > born_on"),
    data_subject(identifiers=["email"]),
)

homes = Table(
    "homes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("kind", String(10), personal(Clear())),
    Column("rooms", Integer, personal(Clear())),
    Column("area", Integer, personal(Clear())),
    Column("doubled", Integer, Computed("rooms * 2", persisted=True), not_personal()),
    Column("status", String(10), personal(Clear()), nullable=True),
    CheckConstraint("kind IN ('house', 'flat')"),
    CheckConstraint("rooms > 0 AND rooms < 20 AND area > rooms"),
    CheckConstraint("status IS NULL OR status <> upper(status)"),
    on_close(Redact(), via="owner_id"),
)
"""A circle with people, and constraints that only some values fulfill."""

friends = Table(
    "friends",
    metadata,
    Column("one_id", ForeignKey("people.id"), primary_key=True),
    Column("other_id", ForeignKey("people.id"), primary_key=True, index=True),
    Column("since", String(60), personal(Clear(), via="one_id")),
    Column("tag", String(60), personal(ReplaceMentions("x"), via="other_id"), unique=True),
    CheckConstraint("one_id <> other_id"),
    on_close(Redact(), via="one_id"),
    on_close(Redact(), via="other_id"),
)
"""Two people in the key, and never the same."""

phones = Table(
    "phones",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False, unique=True),
    Column("number", String(3)),
    on_close(Revoke(), via="person_id"),
)
"""One for each, with keys that the database makes."""

calls = Table(
    "calls",
    metadata,
    Column("phone_id", ForeignKey("phones.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("words", Text),
    on_close(Delete(), via="phone_id"),
)

quotes = Table(
    "quotes",
    metadata,
    Column("phone_id", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("text", Text),
    ForeignKeyConstraint(["phone_id", "position"], ["calls.phone_id", "calls.position"]),
    UniqueConstraint("phone_id", "position"),
    on_close(Delete(), via=("phone_id", "position")),
)
"""A foreign key of two columns, and no primary key."""

bills = Table(
    "bills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id"), index=True),
    Column("text", Text),
    on_close(Retain("P1Y", basis=Basis.CONTRACT, reason="open"), via="person_id"),
)


def on_postgresql() -> MetaData:
    """Return the same with a table of types that only PostgreSQL has."""
    wider = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(wider)
    Table(
        "arrays",
        wider,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id"), index=True),
        Column("tags", ARRAY(String(40))),
        Column("grid", ARRAY(Text, dimensions=2)),
        Column("facts", JSONB),
        Column("address", INET),
        Column("zip", String(12)),
        CheckConstraint("zip ~ '^[a-z0-9]+$'"),
        on_close(Delete(), via="person_id"),
    )
    return wider


def of(engine: Any) -> MetaData:
    """Return the schema for the database of *engine*."""
    return on_postgresql() if engine.dialect.name == "postgresql" else metadata
