"""Under an async driver nothing loads itself later: after a closing, objects can still be read."""

from typing import ClassVar

import pytest
from sqlalchemy import ForeignKey, String, insert, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    deferred,
    mapped_column,
    selectinload,
)

from efface import Clear, Delete, Eraser, Policy, Redact, data_subject, on_close, personal
from efface.errors import StatementError
from tests.support.databases import allow, refuse
from tests.support.schemas import forum
from tests.support.schemas.forum import Category, Newsletter, Order, Post, Token, User


@pytest.fixture
async def aio(database, anyio_backend):
    """The forum behind an async driver."""
    forum.create(database)
    engine = asynchronous(database)
    yield engine
    await engine.dispose()


def asynchronous(database):
    """Return an async engine over the same database; psycopg is both, under one name."""
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
    return create_async_engine(database.url.set(drivername=drivers[database.dialect.name]))


async def test_loaded_objects_can_be_read_after_a_closing(aio):
    async with AsyncSession(aio) as session:
        ada = await session.get_one(User, 1)
        post = (await session.scalars(select(Post).where(Post.author_id == 1))).first()
        category = (await session.scalars(select(Category))).one()

        await session.run_sync(forum.eraser().close_account, 1, actor="test")

        assert (ada.id, ada.name, ada.bio) == (1, None, "")
        assert ada.deleted_at is not None
        assert post.body == "Write to a former member or ask a former member."
        assert category.title == "Tools"
        for each in session.sync_session.identity_map.values():
            # As a template would, after the closing.
            columns = [c.key for c in inspect(each).mapper.column_attrs]
            assert all(hasattr(each, column) for column in columns)
        assert not session.dirty


async def test_objects_whose_row_went_are_gone_from_the_session(aio):
    async with AsyncSession(aio) as session:
        token = (await session.scalars(select(Token).where(Token.user_id == 1))).first()
        letter = (await session.scalars(select(Newsletter).where(Newsletter.id == 1))).one()

        await session.run_sync(forum.eraser().close_account, 1, actor="test")

        assert token not in session
        assert letter not in session
        await session.commit()


async def test_relationships_that_were_loaded_can_be_loaded_again(aio):
    async with AsyncSession(aio) as session:
        query = select(User).options(selectinload(User.posts)).where(User.id == 1)
        ada = (await session.scalars(query)).one()
        assert len(ada.posts) == 3

        await session.run_sync(forum.eraser().close_account, 1, actor="test")

        await session.refresh(ada, ["posts"])
        assert len(ada.posts) == 3
        assert "Lovelace" not in "".join(post.body for post in ada.posts)


async def test_settling_and_batches_leave_objects_readable(aio):
    eraser = forum.eraser()
    async with AsyncSession(aio, expire_on_commit=False) as session:
        people = (await session.scalars(select(User).order_by(User.id))).all()
        orders = (await session.scalars(select(Order))).all()

        batch = await session.run_sync(eraser.close_accounts, [1, 2], actor="test")
        await session.commit()
        assert [person.name for person in people] == [None, None]
        assert {order.note for order in orders} == {None}

        await session.execute(insert(Post).values(author_id=1, title="t", body="Ada Lovelace"))
        late = (await session.scalars(select(Post).where(Post.body == "Ada Lovelace"))).one()
        finalized = await session.run_sync(eraser.finalize, batch)
        assert finalized.late == 1
        assert late.body == "a former member"
        await session.commit()


async def test_what_an_async_session_holds_back_is_written_first(aio):
    async with AsyncSession(aio) as session:
        session.add(Post(author_id=1, title="t", body="Ada Lovelace again", details=None))

        receipt = await session.run_sync(forum.eraser().close_account, 1, actor="test")

        assert next(s for s in receipt.steps if s.table == "posts").rows == 3
        await session.commit()


async def test_a_refusal_under_an_async_driver_leaves_nothing(aio, database):
    refuse(database, "posts", "UPDATE")
    async with AsyncSession(aio) as session:
        with pytest.raises(StatementError) as caught:
            await session.run_sync(forum.eraser().close_account, 1, actor="test")
        await session.commit()

        assert "ada@" not in f"{caught.value!r} {caught.value}"
        ada = await session.get_one(User, 1)
        assert (ada.email, ada.deleted_at) == ("ada@example.org", None)
        allow(database, "posts")
        await session.rollback()

        await session.run_sync(forum.eraser().close_account, 1, actor="test")
        await session.commit()


async def test_an_async_connection_closes_too(aio):
    eraser = forum.eraser()
    async with aio.begin() as connection:
        receipt = await connection.run_sync(eraser.close_account, 1, actor="test")
    async with aio.begin() as connection:
        finalized = await connection.run_sync(eraser.finalize, receipt)

    assert finalized.search.is_clean


def test_a_session_with_a_database_for_each_table(database):
    """Not only under an async driver: there is no database for the session as such."""
    forum.create(database)
    binds = dict.fromkeys(forum.Base.metadata.sorted_tables, database)

    with Session(binds=binds) as session:
        ada = session.get_one(User, 1)
        forum.eraser().close_account(session, 1, actor="test")

        assert ada.name is None


class Base(DeclarativeBase):
    """People and employees in two tables, and notes."""


class Person(Base):
    """Somebody; some are employees."""

    __tablename__ = "people"
    __table_args__ = (data_subject(identifiers=["name"], not_personal=["kind"]),)
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str | None] = mapped_column(String(40), personal(Clear()))
    deleted_at: Mapped[forum.datetime | None]


class Employee(Person):
    """Joined inheritance."""

    __tablename__ = "employees"
    __table_args__ = (on_close(Redact(), via="id"),)
    __mapper_args__: ClassVar = {"polymorphic_identity": "employee"}

    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    office: Mapped[str | None] = mapped_column(String(40), personal(Clear()))


class Note(Base):
    """A key of two columns, and a column that is loaded on demand."""

    __tablename__ = "notes"
    __table_args__ = (on_close(Delete(), via="person_id"),)

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = deferred(mapped_column(String(40)))


async def test_inheritance_and_keys_of_two_columns_can_be_read_after_a_closing(
    database, anyio_backend
):
    Base.metadata.create_all(database)
    eraser = Eraser(Policy.from_metadata(Base.metadata), secret=forum.KEY)
    eraser.create_tables(database)
    engine = asynchronous(database)
    async with AsyncSession(engine) as session:
        session.add_all(
            [
                Employee(id=1, name="Ada Lovelace", office="upstairs"),
                Person(id=2, name="Grace Hopper"),
            ]
        )
        await session.flush()
        session.add_all([Note(person_id=p, number=1, text="x") for p in (1, 2)])
        await session.commit()
        ada, grace = (await session.scalars(select(Person).order_by(Person.id))).all()
        notes = (await session.scalars(select(Note).order_by(Note.person_id))).all()

        await session.run_sync(eraser.close_account, 1, actor="test")

        assert (ada.name, ada.office, grace.name) == (None, None, "Grace Hopper")
        assert [note in session for note in notes] == [False, True]
        assert (notes[1].person_id, notes[1].number) == (2, 1)
        await session.commit()
    await engine.dispose()
