"""Users in databases that are not what the models say."""

import pytest
from sqlalchemy import Column, DateTime, Integer, Table, Text, select
from sqlalchemy.orm import Session

from efface import Eraser, Placeholder, Policy, data_subject, personal

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


ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
