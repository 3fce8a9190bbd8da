"""Users in databases that are not what the models say."""

import pytest
from sqlalchemy import Column, DateTime, Integer, Table, Text, select, text
from sqlalchemy.orm import Session

from efface import (
    Delete,
    Eraser,
    MatchBy,
    Placeholder,
    Policy,
    data_subject,
    on_close,
    personal,
)

ADA, GRACE = "ada@lovelace.example", "grace@hopper.example"
SECRET = "a key of at least 16 bytes"


def users(metadata, *columns):
    return Table(
        "users",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", Text, personal(Placeholder.email()), unique=True),
        *columns,
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["email"]),
    )


def created(metadata, engine, **options):
    """The eraser of a policy whose tables are there now."""
    eraser = Eraser(Policy.from_metadata(metadata), secret=SECRET, **options)
    metadata.create_all(engine)
    eraser.create_tables(engine)
    return eraser


def add(engine, table, *rows):
    with engine.begin() as connection:
        connection.execute(table.insert(), list(rows))


def close(engine, eraser, pk=1):
    with Session(engine) as session, session.begin():
        return eraser.close_account(session, pk, actor="test")


def column(engine, table, name):
    """The values of one column, in the order of the user's key where there is one."""
    with engine.connect() as connection:
        key = table.c.get("user_id", table.c.get("id"))
        return list(connection.scalars(select(table.c[name]).order_by(key)))


def run(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def notes(metadata, *rules, **options):
    """A table with a text of each user."""
    return Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", Integer, index=True),
        Column("body", Text),
        *(rules or (on_close(Delete(), via=MatchBy("user_id", equals="users.id")),)),
        **options,
    )


ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
