"""What real schemas do: several links, owned rows, no keys, circles, inheritance, short columns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
)

from efface import (
    Clear,
    Delete,
    Eraser,
    Generalize,
    OwnedBy,
    Placeholder,
    Policy,
    Redact,
    ReplaceMentions,
    Unlink,
    data_subject,
    not_personal,
    on_close,
    personal,
)

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)
GONE = "someone"
metadata = MetaData()

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", String(20), personal(Placeholder()), unique=True, nullable=False),
    Column("name", String(80), personal(Clear())),
    Column("born_on", Date, personal(Generalize("year"))),
    Column("postcode", String(10), personal(Generalize(2))),
    Column("seen_from", String(45), personal(Generalize("/24"))),
    Column("invited_by_id", ForeignKey("people.id")),
    Column("team_id", ForeignKey("teams.id", use_alter=True)),
    Column("deleted_at", DateTime(timezone=True)),
    data_subject(identifiers=["login", "name"]),
)
"""A short column for placeholders, values to be made coarser, and references to itself."""

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner_id", ForeignKey("people.id"), personal(Unlink()), index=True),
    Column("motto", Text, personal(ReplaceMentions(GONE))),
    on_close(Redact(), via="owner_id"),
)
"""A circle: people belong to teams, and teams to people."""

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sender_id", ForeignKey("people.id"), index=True),
    Column("recipient_id", ForeignKey("people.id"), index=True),
    Column("signature", String(80), personal(Clear(), via="sender_id")),
    Column("salutation", String(80), personal(Clear(), via="recipient_id")),
    Column("body", Text, personal(ReplaceMentions(GONE), via="sender_id")),
    on_close(Redact(), via="sender_id"),
    on_close(Redact(), via="recipient_id"),
)
"""Two people in a row, each with values of their own."""

files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), index=True),
    Column("path", String(80)),
    on_close(Delete(), via="message_id.sender_id"),
)
"""Found through one of the two links of another table."""

addresses = Table(
    "addresses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("street", String(80)),
    on_close(Delete(), via=OwnedBy(by="orders.address_id")),
)
"""Owned by whoever's orders refer to it; several people may."""

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id"), index=True),
    Column("address_id", ForeignKey("addresses.id"), personal(Unlink()), index=True),
    on_close(Redact(), via="person_id"),
)

visits = Table(
    "visits",
    metadata,
    Column("person_id", ForeignKey("people.id"), index=True),
    Column("place", String(40), personal(Clear())),
    Column("note", Text, personal(ReplaceMentions(GONE))),
    on_close(Redact(), via="person_id"),
)
"""No primary key; two rows may be alike."""

rounds = Table(
    "rounds",
    metadata,
    Column("season", Integer, not_personal()),
    Column("number", Integer, not_personal()),
    Column("person_id", ForeignKey("people.id"), index=True),
    PrimaryKeyConstraint("season", "number"),
    on_close(Redact(), via="person_id"),
)

scores = Table(
    "scores",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("season", Integer),
    Column("number", Integer),
    Column("comment", Text, personal(Clear())),
    ForeignKeyConstraint(["season", "number"], ["rounds.season", "rounds.number"]),
    on_close(Redact(), via=("season", "number")),
)
"""A foreign key of two columns."""

badges = Table(
    "badges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", ForeignKey("people.login", onupdate="CASCADE"), index=True),
    Column("text", String(40)),
    UniqueConstraint("holder", "text"),
    on_close(Delete(), via="holder"),
)
"""A foreign key to a unique column that is not the primary key."""

managers = Table(
    "managers",
    metadata,
    Column("id", ForeignKey("people.id"), primary_key=True),
    Column("office", String(40), personal(Clear())),
    on_close(Redact(), via="id"),
)
"""Joined-table inheritance: the subclass's table has the person's key as its own."""


def eraser(**options: Any) -> Eraser:
    """Return an eraser with a clock that stands still."""
    options.setdefault("clock", lambda: NOW)
    return Eraser(Policy.from_metadata(metadata), secret=KEY, **options)


def create(engine: Engine) -> None:
    """Create the tables, and let Ada (1), Grace (2) and Alan (3) move in."""
    metadata.create_all(engine)
    eraser().create_tables(engine)
    with engine.begin() as connection:
        for key, name in ((1, "Ada Lovelace"), (2, "Grace Hopper"), (3, "Alan Turing")):
            _move_in(connection, key, name)
        shared = [{"id": 100, "street": "Shared Street"}, {"id": 101, "street": "Own Street"}]
        connection.execute(insert(addresses), shared)
        bought = [(1, 1, 100), (2, 1, 101), (3, 1, 101), (4, 2, 100)]
        rows = [{"id": i, "person_id": p, "address_id": a} for i, p, a in bought]
        connection.execute(insert(orders), rows)
        pairs = [(1, 1, 2), (2, 2, 1), (3, 2, 3), (4, 1, 1), (5, 1, None)]
        rows = [
            {
                "id": i,
                "sender_id": sender,
                "recipient_id": recipient,
                "signature": f"from {sender}",
                "salutation": f"to {recipient}",
                "body": "Ada Lovelace writes",
            }
            for i, sender, recipient in pairs
        ]
        connection.execute(insert(messages), rows)
        attached = [{"id": i, "message_id": i, "path": "x"} for i, *_ in pairs]
        connection.execute(insert(files), attached)


def _move_in(connection: Connection, key: int, name: str) -> None:
    first = name.split(maxsplit=1)[0].lower()
    person = {
        "id": key,
        "login": f"{first}-login",
        "name": name,
        "born_on": date(1970, 5, key),
        "postcode": "10115",
        "seen_from": f"192.0.2.{key}",
        "invited_by_id": 1,
    }
    connection.execute(insert(people), [person])
    connection.execute(insert(teams), [{"id": key, "owner_id": key, "motto": f"{name} leads"}])
    connection.execute(people.update().where(people.c.id == key).values(team_id=key))
    visit = {"person_id": key, "place": "here", "note": f"with {name}"}
    connection.execute(insert(visits), [visit, visit])
    connection.execute(insert(rounds), [{"season": 1, "number": key, "person_id": key}])
    connection.execute(insert(scores), [{"season": 1, "number": key, "comment": "well done"}])
    connection.execute(insert(badges), [{"holder": f"{first}-login", "text": "gold"}])
    connection.execute(insert(managers), [{"id": key, "office": "upstairs"}])


def rows(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    """Return the rows of *table* in order."""
    return sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
