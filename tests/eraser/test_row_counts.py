"""Databases that are not what the models say: each write is counted, a wrong one refused."""

import pytest
from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from efface import (
    Clear,
    Delete,
    Generalize,
    Placeholder,
    Redact,
    ReplaceMentions,
    not_personal,
    on_close,
    personal,
)
from efface.errors import RowCountError
from tests.eraser.real_databases import (
    ADA,
    GRACE,
    ON_POSTGRESQL,
    ON_SQLITE,
    add,
    close,
    column,
    created,
    users,
)
from tests.support.databases import KINDS

# ---------------------------------------------------------------- the address of a row


def events(metadata, **options):
    """A table without a key, each of whose rows has a text, a coarser value, and a token."""
    return Table(
        "events",
        metadata,
        Column("month", Date, not_personal()),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        Column("ip", Text, personal(Generalize("/24"))),
        Column("nick", Text, personal(Placeholder())),
        on_close(Redact(), via="user_id"),
        **options,
    )


def event(month, user_id, email):
    return {
        "month": month,
        "user_id": user_id,
        "what": f"{email} came in",
        "ip": f"192.0.2.{user_id}",
        "nick": f"nick {user_id}",
    }


PARTITIONS = [
    f"CREATE TABLE events_{i} PARTITION OF events FOR VALUES FROM ('{2000 + i}-01-01') TO "
    f"('{2001 + i}-01-01')"
    for i in (1, 2)
]
HEIRS = [
    f"CREATE TABLE events_{i} (CHECK (month >= '{2000 + i}-01-01')) INHERITS (events)"
    for i in (1, 2)
]


@ON_POSTGRESQL
@pytest.mark.parametrize("random_source", [None, lambda: "0123456789abcdef" * 2])
@pytest.mark.parametrize(
    ("options", "parts"),
    [({"postgresql_partition_by": "RANGE (month)"}, PARTITIONS), ({}, HEIRS)],
    ids=["partitions", "inherits"],
)
def test_a_row_of_another_user_in_another_part_of_the_table_stays(
    database, options, parts, random_source
):
    metadata = MetaData()
    people, table = users(metadata), events(metadata, **options)
    eraser = created(metadata, database, random_source=random_source)
    with database.begin() as connection:
        for part in parts:
            connection.execute(text(part))
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    into = [table, table] if options else [heir(i) for i in (1, 2)]
    for part, row in zip(
        into, (event("2001-01-05", 1, ADA), event("2002-01-05", 2, GRACE)), strict=True
    ):
        add(database, part, row)

    close(database, eraser)

    assert column(database, table, "what") == ["a former member came in", f"{GRACE} came in"]
    assert column(database, table, "ip") == ["192.0.2.0", "192.0.2.2"]
    assert column(database, table, "nick")[1] == "nick 2"
    assert column(database, table, "nick")[0].startswith("anonymized-")


def heir(number):
    """A table that inherits from that of the events."""
    names = ("month", "user_id", "what", "ip", "nick")
    types = (Date, Integer, Text, Text, Text)
    columns = (Column(name, type_) for name, type_ in zip(names, types, strict=True))
    return Table(f"events_{number}", MetaData(), *columns)


@ON_SQLITE
@pytest.mark.parametrize("hiding", [["rowid"], ["RowID", "oid"], ["rowid", "_rowid_"]])
def test_a_column_that_hides_the_number_of_a_row_does_not_address_it(database, hiding):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        *(Column(name, Integer, not_personal()) for name in hiding),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    same = dict.fromkeys(hiding, 7)
    add(database, notes, {"user_id": 1, "what": ADA, **same}, {"user_id": 2, "what": "x", **same})

    close(database, eraser)

    assert column(database, notes, "what") == ["a former member", "x"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("key", "text_of", "left"),
    [
        # JSON would end the text at the NUL.
        (
            Column("key", Integer, primary_key=True),
            f"{ADA}\0, and more",
            "a former member\0, and more",
        ),
        # JSON has no bytes.
        (Column("key", LargeBinary, not_personal(), primary_key=True), ADA, "a former member"),
    ],
    ids=["nul", "bytes"],
)
def test_what_json_cannot_hold_is_written_as_it_is(database, key, text_of, left):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        key,
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    keys = (b"\0\xff", b"2") if isinstance(key.type, LargeBinary) else (1, 2)
    add(database, people, {"id": 1, "email": ADA})
    add(database, notes, *({"key": each, "user_id": 1, "what": text_of} for each in keys))

    close(database, eraser)

    assert column(database, notes, "what") == [left, left]


# ---------------------------------------------------------------- as many rows as were meant


def test_a_key_of_the_model_that_is_none_in_the_database_is_refused(database):
    """Two rows have it: one would have been overwritten with the other's text."""
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        on_close(Redact(), via="user_id"),
    )
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE notes (number int, user_id int, what text)"))
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(
        database,
        notes,
        {"number": 7, "user_id": 1, "what": f"by {ADA}"},
        {"number": 7, "user_id": 2, "what": "by Grace"},
    )

    with pytest.raises(RowCountError) as caught:
        close(database, eraser)

    assert (caught.value.table, caught.value.written, caught.value.meant) == ("notes", 2, 1)
    assert column(database, notes, "what") == [f"by {ADA}", "by Grace"]
    assert column(database, people, "deleted_at") == [None, None]


NO_WRITES = {
    "sqlite": [
        "CREATE TRIGGER quiet BEFORE UPDATE OF {column} ON {table} BEGIN SELECT RAISE(IGNORE); END"
    ],
    "postgresql": [
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        (
            "CREATE TRIGGER quiet BEFORE UPDATE OF {column} ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION quiet()"
        ),
    ],
}


@pytest.mark.parametrize(
    ("database", "table", "name"),
    [
        *((kind, *place) for kind in KINDS for place in (("users", "email"), ("notes", "what"))),
        # SQLite's lock is an UPDATE of this column, so there nothing is found to close.
        ("postgresql", "users", "deleted_at"),
    ],
    indirect=["database"],
)
def test_a_write_that_a_trigger_swallows_is_not_called_done(database, table, name):
    metadata = MetaData()
    people = users(metadata)
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA})
    add(database, notes, {"id": 1, "user_id": 1, "what": ADA}, {"id": 2, "user_id": 1, "what": ADA})
    with database.begin() as connection:
        for statement in NO_WRITES[database.dialect.name]:
            connection.execute(text(statement.format(table=table, column=name)))

    with pytest.raises(
        RowCountError, match=(f"{table} in 1 row, but the database wrote 0 rows")
    ) as caught:
        close(database, eraser)

    assert ADA not in str(caught.value)
    assert column(database, people, "email") == [ADA]
    assert column(database, people, "deleted_at") == [None]


@ON_POSTGRESQL
def test_a_rule_that_takes_the_users_own_row_along_is_rolled_back(database):
    """As a trigger does that deletes users without a card."""
    metadata = MetaData()
    people = users(metadata, Column("name", Text, personal(Clear())))
    cards = Table(
        "cards",
        metadata,
        Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
        Column("name", Text),
        on_close(Delete(), via="user_id"),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA, "name": "Ada"})
    add(database, cards, {"user_id": 1, "name": "Ada"})
    with database.begin() as connection:
        for statement in (
            (
                "CREATE FUNCTION take_along() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN DELETE FROM users WHERE id = OLD.user_id; RETURN NULL; END $$"
            ),
            "CREATE TRIGGER along AFTER DELETE ON cards FOR EACH ROW EXECUTE FUNCTION take_along()",
        ):
            connection.execute(text(statement))

    with pytest.raises(RowCountError):
        close(database, eraser)

    assert column(database, people, "email") == [ADA]
