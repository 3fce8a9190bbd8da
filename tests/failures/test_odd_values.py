"""Values that no application should have written, and databases keep: nothing stops at them."""

import json

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    text,
)

from efface import (
    Clear,
    Eraser,
    Generalize,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.errors import StatementError
from tests.support.databases import sqlite_engine
from tests.support.schemas import forum


def schema():
    """People with one column of each kind, and letters that are found by value."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("login", String(20), personal(Placeholder()), unique=True, nullable=False),
        Column("born_on", Date, personal(Generalize("year"))),
        Column("details", JSON, personal(ReplaceMentions("someone"))),
        Column("note", Text, personal(ReplaceMentions("someone"))),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["login"]),
    )
    Table(
        "letters",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("login", String(20), personal(Clear()), index=True),
        Column("code", String(20), personal(Placeholder())),
        Column("body", Text, not_personal()),
        on_close(Redact(), via=MatchBy("login", equals="people.login")),
    )
    return metadata


LOGIN = "ada-lovelace-of-1815"
"""Twenty characters, as many as a placeholder for this column has."""


@pytest.fixture
def people(database):
    """Ada, in a database of that schema; call it with other values of hers."""
    return moved_in(database)


def moved_in(engine):
    """Create the schema; return what inserts Ada and what closes her account."""
    metadata = schema()
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY, clock=lambda: forum.NOW)
    eraser.create_tables(engine)

    def close(**values):
        with engine.begin() as connection:
            ada = {"id": 1, "login": LOGIN, "details": {}, **values}
            connection.execute(insert(metadata.tables["people"]), [ada])
        return again()

    def again(after=()):
        with engine.begin() as connection:
            for statement in after:
                connection.execute(text(statement))
            receipt = eraser.close_account(connection, 1, actor="test")
        with engine.begin() as connection:
            finalized = eraser.finalize(connection, receipt)
            row = connection.execute(
                text(
                    "SELECT id, login, born_on, CAST(details AS TEXT) AS details, note FROM people"
                )
            ).one()
        return row, finalized

    close.again, close.metadata, close.engine = again, metadata, engine
    return close


def test_a_login_as_long_as_a_placeholder_is_no_placeholder(people):
    """It is looked for, linked by, and replaced like any other."""
    letters = people.metadata.tables["letters"]
    with people.engine.begin() as connection:
        letter = {"login": LOGIN, "code": "a-code-of-20-letters", "body": "Dear all"}
        connection.execute(insert(letters), [letter])

    row, finalized = people(note=f"I am {LOGIN}.")

    assert row.note == "I am someone."
    assert row.login != LOGIN
    assert finalized.search.is_clean
    with people.engine.connect() as connection:
        login, code = connection.execute(select(letters.c.login, letters.c.code)).one()
    assert login is None
    assert code != "a-code-of-20-letters"
    assert len(code) == 20


def test_keys_of_a_document_do_not_swallow_each_other(people):
    """The document has already what the person's name is replaced by."""
    row, _ = people(details={"someone": 1, LOGIN: 2, "x": {LOGIN: 3, "someone": 4}})

    assert json.loads(row.details) == {
        "someone": 1,
        "someone (2)": 2,
        "x": {"someone (3)": 3, "someone": 4},
    }


@pytest.mark.parametrize(
    "document",
    ids=range(8),
    argvalues=[
        '{"by": "a \\q of ada-lovelace-of-1815"}',
        '{"by": "ada-lovelace-of-1815',
        '{"by": "two\nlines of ada-lovelace-of-1815"}',
        "ada-lovelace-of-1815",
        '{"by": "\\ud800 ada-lovelace-of-1815"}',
        "[\"ada-lovelace-of-1815\", 'ada-lovelace-of-1815']",
        "[" * 900 + '"ada-lovelace-of-1815"' + "]" * 900,
        "[" * 90_000 + '"ada-lovelace-of-1815"' + "]" * 90_000,
    ],
)
def test_a_document_that_is_no_json_still_loses_the_name(tmp_path, document):
    """SQLite keeps any text in a JSON column, and other programs write there too."""
    engine = sqlite_engine(tmp_path / "test.db")
    close = moved_in(engine)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO people (id, login, details) VALUES (1, :login, :document)"),
            {"login": LOGIN, "document": document},
        )

    row, finalized = close.again()

    assert LOGIN not in row.details
    assert "someone" in row.details
    assert finalized.search.is_clean
    engine.dispose()


def test_a_date_that_is_none_is_refused_without_being_repeated(tmp_path, caplog):
    """SQLite keeps any text in a date column; its reading fails with the text in what it says."""
    caplog.set_level("DEBUG")
    engine = sqlite_engine(tmp_path / "test.db")
    close = moved_in(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO people (id, login, born_on, details) VALUES (1, :login, :born, '{}')"
            ),
            {"login": LOGIN, "born": "with Ada Lovelace"},
        )

    with pytest.raises(StatementError) as caught:
        close.again()

    assert caught.value.table == "people"
    assert "Lovelace" not in f"{caught.value!r} {caught.value} {caught.value.args} {caplog.text}"
    assert caught.value.__cause__ is None
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT login FROM people")) == LOGIN
    engine.dispose()


@pytest.mark.parametrize("login", ["a\\b%c_d'e\"f", "ÄÖÜ-straße", "名前は太郎です", "🙂🙂🙂🙂"])
def test_every_character_can_stand_in_an_identifier(people, login):
    note, details = f"by {login}, and {login}", {"by": [login], login: 1}

    row, finalized = people(login=login, note=note, details=details)

    assert row.note == "by someone, and someone"
    assert json.loads(row.details) == {"by": ["someone"], "someone": 1}
    assert finalized.search.is_clean
