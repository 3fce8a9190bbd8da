"""Schemas, sessions, classes and names that differ between the models and the database."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import (
    CHAR,
    Column,
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
from sqlalchemy import Delete as DeleteStatement
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    mapped_column,
    registry,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from efface import (
    Clear,
    Delete,
    Eraser,
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
from efface.errors import SchemaTranslateMapError
from efface.sqlalchemy import hide_closed
from tests.eraser.real_databases import (
    ADA,
    GRACE,
    ON_POSTGRESQL,
    SECRET,
    add,
    close,
    column,
    created,
    users,
)
from tests.support.databases import KINDS

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


class Base(MappedAsDataclass, DeclarativeBase):
    """Its classes have an ``__eq__`` of their own, and so no hash; SQLModel's are alike."""


class Member(Base):
    __tablename__ = "members"
    __table_args__ = (data_subject(identifiers=["email"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, personal(Placeholder.email()), unique=True)
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)


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
