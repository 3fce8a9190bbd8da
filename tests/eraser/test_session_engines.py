"""Sessions with several databases: the users' one is used, or nothing is written."""

from datetime import datetime

import pytest
from sqlalchemy import (
    DateTime,
    Delete,
    ForeignKey,
    MetaData,
    Text,
    Update,
    create_engine,
    event,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.horizontal_shard import ShardedSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import efface
from efface import Eraser, MatchBy, Placeholder, Policy, data_subject, on_close, personal
from efface.errors import ReadOnlyError, SeveralDatabasesError
from tests.eraser.real_databases import ADA, ON_POSTGRESQL, SECRET


class Base(DeclarativeBase):
    """The models, some of which a session keeps elsewhere."""


class Accounts(Base):
    """The classes whose engine is that of the users."""

    __abstract__ = True


class User(Accounts):
    __tablename__ = "users"
    __table_args__ = (data_subject(identifiers=["email"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, personal(Placeholder.email()), unique=True)
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Post(Base):
    __tablename__ = "posts"
    __table_args__ = (on_close(efface.Delete(), via="user_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


@pytest.fixture
def eraser():
    """The eraser of both tables."""
    return Eraser(Policy.from_metadata(Base.metadata), secret=SECRET)


@pytest.fixture
def engines(tmp_path, eraser):
    """Two databases, in each of which Ada is user 1."""
    made = [create_engine(f"sqlite:///{tmp_path / name}") for name in ("one.db", "two.db")]
    for engine in made:
        fill(engine, eraser)
    yield made
    for engine in made:
        engine.dispose()


def fill(engine, eraser):
    Base.metadata.create_all(engine)
    eraser.create_tables(engine)
    with Session(engine) as session, session.begin():
        session.add(User(id=1, email=ADA))
        session.flush()
        session.add(Post(id=1, user_id=1))


def is_open(engine):
    """Whether Ada's account is as it was, with her post."""
    with Session(engine) as session:
        posts = session.query(Post).count()
        return (session.get_one(User, 1).email, posts) == (ADA, 1)


def is_closed(engine):
    with Session(engine) as session:
        return session.get_one(User, 1).deleted_at is not None and not session.query(Post).count()


def close(session, eraser):
    with session, session.begin():
        return eraser.close_account(session, 1, actor="test")


def routed(choose):
    """Return what makes a session whose class or statement decides, for two engines."""

    def made(one, two):
        class Routing(Session):
            def get_bind(self, mapper=None, *, clause=None, **_):
                cls = mapper.class_ if mapper is not None else object
                is_write = self._flushing or isinstance(clause, (Update, Delete))
                name = getattr(getattr(clause, "table", None), "name", "")
                return one if choose(cls, is_write, name) else two

        return Routing()

    return made


WHOLE = {
    "by class": routed(lambda cls, _write, _name: issubclass(cls, Base)),
    "by statement": routed(lambda _cls, is_write, _name: is_write),
    "base": lambda one, two: Session(two, binds={Base: one}),
    "classes": lambda one, two: Session(two, binds={User: one, Post: one}),
    "tables": lambda one, two: Session(two, binds={User.__table__: one, Post.__table__: one}),
    "options": lambda one, _: Session(
        one, binds={Post: one.execution_options(isolation_level="SERIALIZABLE")}
    ),
    "without a default": lambda one, _: Session(binds={Accounts: one}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_session_writes_where_it_writes_users(engines, eraser, kind):
    close(WHOLE[kind](*engines), eraser)

    assert is_closed(engines[0])
    assert is_open(engines[1])


APART = {
    "classes": lambda one, two: Session(binds={User: one, Post: two}),
    "base": lambda one, two: Session(binds={Accounts: one, Base: two}),
    "default": lambda one, two: Session(two, binds={User: one}),
    "tables": lambda one, two: Session(one, binds={Post.__table__: two}),
    "connections": lambda one, two: Session(binds={User: one.connect(), Post: two.connect()}),
    "by name": routed(lambda _cls, _write, name: name != "posts"),
    "by mapper": routed(lambda cls, _write, _name: cls is not Post),
    "two phases": lambda one, two: Session(binds={User: one, Post: two}, twophase=True),
}


@pytest.mark.parametrize("kind", APART)
def test_a_session_with_the_tables_in_two_databases_is_refused(engines, eraser, kind):
    for call in (
        lambda session: eraser.close_account(session, 1, actor="test"),
        lambda session: eraser.plan(session, 1),
    ):
        with APART[kind](*engines) as session:
            with pytest.raises(SeveralDatabasesError, match="posts in another") as caught:
                call(session)
            for bind in session.binds.values():
                bind.close() if kind == "connections" else None

    assert (caught.value.code, caught.value.users, caught.value.table) == ("E423", "users", "posts")
    assert "Nothing was changed." in str(caught.value)
    assert all(map(is_open, engines))


def test_a_session_that_shards_rows_takes_the_connection_of_a_shard(engines, eraser):
    def no_row(*_, **__):
        raise AssertionError

    def sharded():
        return ShardedSession(
            shards=dict(zip(("one", "two"), engines, strict=True)),
            shard_chooser=no_row,
            identity_chooser=no_row,
            execute_chooser=no_row,
        )

    with pytest.raises(SeveralDatabasesError, match="shard_id"):
        close(sharded(), eraser)
    with sharded() as session:
        connection = session.connection(bind_arguments={"shard_id": "two"})
        eraser.close_account(connection, 1, actor="test")
        session.commit()

    assert is_open(engines[0])
    assert is_closed(engines[1])


@ON_POSTGRESQL
def test_a_session_in_a_transaction_from_outside_leaves_it_open(database, eraser):
    fill(database, eraser)
    with database.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            eraser.close_account(session, 1, actor="test")
            session.commit()
        outer.rollback()

    assert is_open(database)


@pytest.mark.anyio
async def test_an_async_session_is_asked_for_its_engines_as_well(tmp_path, engines, eraser):
    made = [create_async_engine(f"sqlite+aiosqlite:///{e.url.database}") for e in engines]
    async with AsyncSession(binds={User: made[0], Post: made[1]}) as session:
        with pytest.raises(SeveralDatabasesError):
            await session.run_sync(eraser.close_account, 1, actor="test")
    async with AsyncSession(made[1], binds={Base: made[0]}) as session, session.begin():
        await session.run_sync(eraser.close_account, 1, actor="test")
    for engine in made:
        await engine.dispose()

    assert is_closed(engines[0])
    assert is_open(engines[1])


# ---------------------------------------------------------------- databases that only read


def file_opened_to_read(engine):
    path = f"file:{engine.url.database}?mode=ro"
    return create_engine(f"sqlite:///{path}&uri=true"), None


def connection_that_only_queries(engine):
    made = create_engine(engine.url)
    event.listen(made, "connect", lambda dbapi, _: dbapi.execute("PRAGMA query_only = ON"))
    return made, None


@pytest.mark.parametrize("kind", [file_opened_to_read, connection_that_only_queries])
def test_a_file_that_only_reads_has_an_error_of_its_own(engines, eraser, kind):
    reading, _ = kind(engines[0])

    with pytest.raises(ReadOnlyError, match="read-only") as caught:
        close(Session(reading), eraser)

    assert ADA not in str(caught.value)
    reading.dispose()
    assert is_open(engines[0])


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "line", ["SET default_transaction_read_only = on", "SET TRANSACTION READ ONLY"]
)
def test_a_server_that_only_reads_has_an_error_of_its_own(database, eraser, line):
    """A standby answers with the same SQLSTATE."""
    fill(database, eraser)
    with database.connect() as connection:
        connection.execute(text(line))
        if "default" in line:
            connection.commit()
        with pytest.raises(ReadOnlyError) as caught:
            eraser.close_account(connection, 1, actor="test")
        connection.execute(text("RESET default_transaction_read_only"))
        connection.rollback()

    assert (caught.value.code, caught.value.sqlstate) == ("E410", "25006")
    assert is_open(database)


@ON_POSTGRESQL
def test_a_session_of_two_phases_over_one_database_closes(database, eraser):
    fill(database, eraser)
    with Session(database, twophase=True) as session:
        eraser.close_account(session, 1, actor="test")
        assert session.get_one(User, 1).deleted_at is not None
        session.rollback()

    assert is_open(database)


class Elsewhere(DeclarativeBase):
    """As Flask-SQLAlchemy has them: one base, and a MetaData for each database."""


class OtherDatabase(Elsewhere):
    __abstract__ = True
    metadata = MetaData()


class Member(Elsewhere):
    __tablename__ = "members"
    __table_args__ = (data_subject(identifiers=["email"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, personal(Placeholder.email()))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Visit(OtherDatabase):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(index=True)


@pytest.mark.parametrize("has_rule", [True, False])
def test_a_rule_in_the_metadata_of_another_database_is_not_passed_over(sqlite, has_rule):
    eraser = Eraser(Policy.from_metadata(Elsewhere.metadata), secret=SECRET)
    Elsewhere.metadata.create_all(sqlite)
    eraser.create_tables(sqlite)
    rule = on_close(efface.Delete(), via=MatchBy("member_id", equals="members.id"))
    with Session(sqlite) as session, session.begin():
        session.add(Member(id=1, email=ADA))
    try:
        if has_rule:
            rule._set_parent(Visit.__table__)
            with pytest.raises(SeveralDatabasesError, match="has visits in another database"):
                close(Session(sqlite), eraser)
        else:
            assert not close(Session(sqlite), eraser).already_closed
    finally:
        Visit.__table__.info.pop(rule, None)
