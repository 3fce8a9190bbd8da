"""Databases that are not what the models say: each write is counted, a wrong one refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import (
    CHAR,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Update,
    create_engine,
    select,
    text,
)
from sqlalchemy import (
    Delete as DeleteStatement,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, registry, sessionmaker
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, SQLModel

from efface import (
    Clear,
    Delete,
    Eraser,
    Generalize,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.errors import RowCountError, SchemaTranslateMapError
from efface.sqlalchemy import hide_closed
from tests.support.databases import KINDS

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
    """As a rule that deletes from a view of the users does."""
    metadata = MetaData()
    people = users(metadata, Column("name", Text, personal(Clear())))
    Table(
        "cards",
        metadata,
        Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
        Column("name", Text),
        on_close(Delete(), via="user_id"),
    )
    with database.begin() as connection:
        people.create(connection)
        connection.execute(text("CREATE VIEW cards AS SELECT id AS user_id, name FROM users"))
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA, "name": "Ada"})

    with pytest.raises(RowCountError):
        close(database, eraser)

    assert column(database, people, "email") == [ADA]


# ---------------------------------------------------------------- the right database


@pytest.mark.parametrize("where", ["engine", "session"])
def test_a_connection_that_translates_schemas_is_refused(database, where):
    metadata = MetaData()
    people = users(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": GRACE})
    options = {"schema_translate_map": {None: "acme"}}
    engine = database.execution_options(**options) if where == "engine" else database

    with Session(engine) as session:
        if where == "session":
            session.connection(execution_options=options)
        with pytest.raises(SchemaTranslateMapError, match="search_path"):
            eraser.close_account(session, 1, actor="test")
        session.commit()

    assert column(database, people, "email") == [GRACE]


def test_a_session_that_reads_from_a_follower_is_closed_on_the_leader():
    """As the recipe of SQLAlchemy's documentation routes."""
    leader, follower = (create_engine("sqlite://", poolclass=StaticPool) for _ in range(2))

    class Routing(Session):
        def get_bind(self, _mapper=None, clause=None, **_options):
            is_write = self._flushing or isinstance(clause, (Update, DeleteStatement))
            return leader if is_write else follower

    metadata = MetaData()
    people = users(metadata)
    for engine in (follower, leader):
        eraser = created(metadata, engine)
        add(engine, people, {"id": 1, "email": ADA})

    with Routing() as session:
        eraser.close_account(session, 1, actor="test")
        session.commit()

    assert column(follower, people, "email") == [ADA]
    assert column(leader, people, "email") != [ADA]
    for engine in (leader, follower):
        engine.dispose()


# ---------------------------------------------------------------- classes and names


class Member(SQLModel, table=True):
    """A class without a hash: SQLModel's have an ``__eq__`` of their own."""

    metadata = MetaData()
    __table_args__ = (data_subject(identifiers=["email"]),)

    id: int = Field(primary_key=True)
    email: str = Field(unique=True, sa_column_args=(personal(Placeholder.email()),))
    deleted_at: str | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


def test_an_object_without_a_hash_may_be_loaded_in_an_async_session(tmp_path):
    async def closed():
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/members.db")
        eraser = Eraser(Policy.from_metadata(Member.metadata), secret=SECRET)
        async with engine.begin() as connection:
            await connection.run_sync(Member.metadata.create_all)
            await connection.run_sync(eraser.create_tables)
        async with AsyncSession(engine) as session:
            session.add(Member(id=1, email=ADA))
            await session.commit()
        async with AsyncSession(engine) as session:
            member = await session.get(Member, 1)
            await session.run_sync(eraser.close_account, 1, actor="test")
            await session.commit()
            await session.refresh(member)
            email = member.email
        await engine.dispose()
        return email

    assert asyncio.run(closed()).endswith("@users.invalid")


@pytest.mark.parametrize(
    "name",
    ["Kunden Nr", "Kunden.Nr", "Nr(alt)", "Nr%", "a:b", "a[b]", "Tel. no", "E-mail", "a'b", "a?b"],
)
def test_a_column_may_have_any_name(database, name):
    metadata = MetaData()
    people = users(
        metadata,
        Column(name, Text, personal(Replace("gone"))),
        Column(f"{name} 2", Text, personal(Placeholder())),
    )
    notes = Table(
        "notes",
        metadata,
        Column(f"{name} id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column(name, Text, personal(ReplaceMentions("a former member"))),
        Column("rest", Text, not_personal()),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA, name: "x", f"{name} 2": "y"})
    add(
        database,
        notes,
        {f"{name} id": 1, "user_id": 1, name: f"by {ADA}", "rest": "as it was"},
    )

    receipt = close(database, eraser)
    with Session(database) as session, session.begin():
        finalized = eraser.finalize(session, receipt)

    assert column(database, people, name) == ["gone"]
    assert finalized.search.is_clean
    with database.connect() as connection:
        assert connection.scalar(select(notes.c[name])) == "by a former member"


def test_a_model_may_call_its_columns_otherwise_than_the_database(database):
    metadata = MetaData()
    people = Table(
        "users",
        metadata,
        Column("ID", Integer, key="id", primary_key=True),
        Column("E_MAIL", Text, personal(Placeholder.email()), key="email", unique=True),
        Column("DELETED_AT", DateTime(timezone=True), key="gone_at"),
        data_subject(identifiers=["E_MAIL"], deleted_at="DELETED_AT"),
    )
    notes = Table(
        "notes",
        metadata,
        Column("ID", Integer, key="id", primary_key=True),
        Column("USER_ID", ForeignKey("users.id"), key="user_id", index=True),
        Column("WHAT", Text, personal(ReplaceMentions("a former member")), key="what"),
        on_close(Redact(), via="USER_ID"),
    )
    logins = Table(
        "logins",
        metadata,
        Column("ID", Integer, key="id", primary_key=True),
        Column("ADDRESS", Text, personal(Clear()), key="address", index=True),
        on_close(Delete(), via=MatchBy("ADDRESS", equals="users.E_MAIL")),
    )
    eraser = created(metadata, database)
    mapped = registry(metadata=metadata).map_imperatively(type("User", (), {}), people).class_
    hide_closed(sessions := sessionmaker(database), eraser.policy)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, notes, {"id": 1, "user_id": 1, "what": f"by {ADA}"})
    add(database, logins, {"id": 1, "address": ADA}, {"id": 2, "address": GRACE})

    with sessions.begin() as session:
        receipt = eraser.close_account(session, 1, actor="test")
    with sessions.begin() as session:
        finalized = eraser.finalize(session, receipt)

    with sessions() as session:
        assert session.scalars(select(mapped.email)).all() == [GRACE]
    assert eraser.check() == ()
    assert finalized.search.is_clean
    assert column(database, notes, "what") == ["by a former member"]
    assert column(database, logins, "id") == [2]
    assert [at is None for at in column(database, people, "gone_at")] == [False, True]


class UuidAsText(TypeDecorator):
    """A UUID in CHAR, as many applications keep it."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value, _dialect):
        return None if value is None else UUID(str(value)).hex

    def process_result_value(self, value, _dialect):
        return None if value is None else str(UUID(value))


@pytest.mark.parametrize(
    ("database", "type_", "kept", "typed"),
    [
        ("postgresql", CHAR(9), "ada", "ada  "),
        ("sqlite", Text(collation="NOCASE"), "Ada.L", "ADA.l"),
        *((kind, UuidAsText(), str(UUID(int=7)), UUID(int=7).hex) for kind in KINDS),
    ],
    indirect=["database"],
)
def test_a_key_may_be_spelled_otherwise_than_the_database_does(database, type_, kept, typed):
    metadata = MetaData()
    people = Table(
        "users",
        metadata,
        Column("id", type_, not_personal(), primary_key=True),
        Column("email", Text, personal(Placeholder.email()), unique=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["email"]),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": kept, "email": ADA})
    with database.connect() as connection:
        plan = eraser.plan(connection, kept)

    with database.begin() as connection:
        receipt = eraser.close_account(connection, typed, actor="test", plan=plan)
    again = close(database, eraser, kept)
    with database.begin() as connection:
        together = eraser.close_accounts(connection, [typed, kept], actor="test")
        pending = eraser.run_pending(connection, min_age=timedelta(0))

    assert (again.reference, again.already_closed) == (receipt.reference, True)
    assert [each.reference for each in together.receipts] == [receipt.reference]
    assert [each.reference for each in pending.receipts] == [receipt.reference]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@ON_POSTGRESQL
def test_async_drivers_write_each_text_and_a_moment_without_a_time_zone_in_utc(database, driver):
    """PostgreSQL would convert it to the time zone of the session, and asyncpg refuses it."""
    metadata = MetaData()
    people = Table(
        "users",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", Text, personal(Placeholder.email()), unique=True),
        Column("deleted_at", DateTime()),
        data_subject(identifiers=["email"]),
    )
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(ReplaceMentions("a former member"))),
        on_close(Redact(), via="user_id"),
    )
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    eraser = created(metadata, database, clock=lambda: now)
    add(database, people, {"id": 1, "email": ADA})
    add(database, notes, {"id": 1, "user_id": 1, "what": ADA}, {"id": 2, "user_id": 1, "what": ADA})
    zone = "SET TIME ZONE 'America/New_York'"

    async def closed():
        engine = create_async_engine(database.url.set(drivername=f"postgresql+{driver}"))
        async with engine.begin() as connection:
            await connection.execute(text(zone))
            receipt = await connection.run_sync(eraser.close_account, 1, actor="test")
        async with engine.begin() as connection:
            await connection.execute(text(zone))
            finalized = await connection.run_sync(eraser.finalize, receipt)
            found = await connection.run_sync(eraser.find_receipt, 1)
        await engine.dispose()
        return receipt, finalized, found

    receipt, finalized, found = asyncio.run(closed())

    assert column(database, people, "deleted_at") == [now.replace(tzinfo=None)]
    assert column(database, notes, "what") == ["a former member"] * 2
    assert finalized.search.is_clean
    assert found.reference == receipt.reference
