"""Closed accounts disappear from ORM statements; relations still show who wrote a post."""

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (
    Session,
    aliased,
    defer,
    join,
    joinedload,
    mapped_column,
    registry,
    scoped_session,
    selectinload,
    sessionmaker,
    subqueryload,
    with_polymorphic,
)
from sqlalchemy.pool import StaticPool

from efface import Delete, Policy, data_subject
from efface.errors import (
    ClosedMergeError,
    MissingDeletedAtError,
    StatementError,
    UnfilteredStatementError,
)
from efface.sqlalchemy import hide_closed, include_closed, statement_filter
from tests.support.schemas import forum
from tests.support.schemas.forum import Category, Order, Post, User

POLICY = Policy.from_metadata(forum.Base.metadata)
ADA, GRACE = 1, 2


@pytest.fixture
def engine(database):
    """The forum, in which Ada has closed her account."""
    engine = database
    forum.create(engine)
    with engine.begin() as connection:
        forum.eraser().close_account(connection, ADA, actor="test")
    return engine


@pytest.fixture
def session(engine):
    """A session that hides closed accounts."""
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    with maker() as session:
        yield session


@pytest.mark.parametrize(
    "statement",
    [
        select(User.id),
        select(User.id).where(User.id.in_([ADA, GRACE])),
        select(aliased(User).id),
        select(select(User.id).subquery().c.id),
        select(select(User.id).cte().c.id),
        select(User.id).join(Post).distinct(),
        select(Post.author_id).join(Post.author).distinct(),
        select(Post.author_id).where(Post.author_id.in_(select(User.id))).distinct(),
        select(Post.author_id).where(Post.author.has(User.id > 0)).distinct(),
        select(Post.author_id).where(exists().where(User.id == Post.author_id)).distinct(),
    ],
)
def test_selects_see_open_accounts_only(session, statement):
    assert session.scalars(statement).all() == [GRACE]


@pytest.mark.parametrize(
    "statement",
    [
        select(func.count()).select_from(User),
        select(func.count(User.id)),
        select(select(func.count(User.id)).scalar_subquery()),
    ],
)
def test_counts_count_open_accounts_only(session, statement):
    assert session.scalar(statement) == 1


def test_the_first_statement_of_a_process_may_name_the_class_only_inside(session):
    """There is no mapper at the top of this statement to find the class by."""
    assert session.scalar(select(exists().where(User.id == ADA))) is False


def test_get_answers_none_or_raises(session):
    assert session.get(User, ADA) is None
    assert session.get(User, GRACE).id == GRACE


def test_get_hides_an_account_that_the_session_has_loaded_already(session):
    """No statement is sent then, so no event is fired."""
    post = session.scalars(select(Post).where(Post.author_id == ADA)).first()
    assert post.author.deleted_at is not None

    assert session.get(User, ADA) is None


def test_an_account_closed_in_this_session_is_hidden_at_once(engine, session):
    with engine.begin() as connection:
        connection.execute(insert(User), [{"id": 3, "email": "new@example.org", "bio": ""}])
    assert session.get(User, 3) is not None

    forum.eraser().close_account(session, 3, actor="test")

    assert session.get(User, 3) is None
    assert session.scalars(select(User.id)).all() == [GRACE]


def test_bulk_writes_do_not_reach_closed_accounts(session):
    session.execute(update(User).values(locale="fr"))
    assert session.execute(delete(User).where(User.id == ADA)).rowcount == 0

    with include_closed():
        found = session.execute(select(User.id, User.locale).order_by(User.id)).all()
    assert found == [(ADA, "en"), (GRACE, "fr")]


@pytest.mark.parametrize("load", [None, joinedload, selectinload, subqueryload])
def test_a_post_still_shows_its_author(session, load):
    """Threads keep their shape, whichever way the author is loaded."""
    query = select(Post).where(Post.author_id == ADA)
    if load:
        query = query.options(load(Post.author))

    posts = session.scalars(query).unique().all()

    assert [post.author.id for post in posts] == [ADA] * 3


def test_the_posts_of_an_open_account_are_all_there(session):
    assert len(session.get(User, GRACE).posts) == 3


def test_a_refresh_of_what_is_held_is_not_hidden(session):
    ada = session.scalars(select(Post).where(Post.author_id == ADA)).first().author

    session.expire(ada)

    assert ada.deleted_at is not None


def test_include_closed_shows_them_for_one_statement(session):
    shown = {"include_closed": True}

    query = select(User.id).order_by(User.id)

    assert session.scalars(query.execution_options(**shown)).all() == [ADA, GRACE]
    assert session.get(User, ADA, execution_options=shown).id == ADA
    assert session.scalars(select(User.id)).all() == [GRACE]


def test_include_closed_shows_them_for_a_block(session):
    with include_closed():
        assert session.get(User, ADA).id == ADA
        assert session.scalar(select(func.count(User.id))) == 2

    assert session.get(User, ADA) is None


def test_a_block_is_over_for_the_tasks_it_started(session):
    with include_closed():
        inside = contextvars.copy_context()
        assert inside.run(session.get, User, ADA) is not None

    assert inside.run(session.get, User, ADA) is None


def test_other_sessions_of_the_application_are_not_changed(engine, session):
    with Session(engine) as plain:
        assert plain.scalars(select(User.id).order_by(User.id)).all() == [ADA, GRACE]
        assert plain.get(User, ADA).id == ADA


class Own(Session):
    """An application's own session class."""


def test_a_session_class_of_ones_own_hides_too(engine):
    hide_closed(Own, POLICY)

    with Own(engine) as session:
        assert session.get(User, ADA) is None
        assert session.scalars(select(User.id)).all() == [GRACE]


def test_a_scoped_session_hides_too(engine):
    scoped = scoped_session(sessionmaker(engine))
    hide_closed(scoped, POLICY)

    assert scoped.get(User, ADA) is None
    assert scoped.scalars(select(User.id)).all() == [GRACE]
    scoped.remove()


@pytest.mark.parametrize("target", [Session, AsyncSession, "Session", None])
def test_sqlalchemys_own_class_is_refused(target):
    """Every other session of the process would change."""
    with pytest.raises(TypeError, match="sessionmaker"):
        hide_closed(target, POLICY)


def test_without_a_tombstone_nothing_can_be_hidden():
    metadata = MetaData()
    people = Table("people", metadata, Column("id", Integer, primary_key=True))
    data_subject()._set_parent(people)

    with pytest.raises(MissingDeletedAtError):
        hide_closed(sessionmaker(), Policy.from_metadata(metadata))


def test_where_the_persons_row_goes_there_is_nothing_to_hide():
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    people = Table("people", metadata, key, data_subject(Delete()))
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    maker = sessionmaker(engine)
    hide_closed(maker, Policy.from_metadata(metadata))

    with maker() as session:
        session.execute(insert(people).values(id=1))
        assert session.scalars(select(people.c.id)).all() == [1]
    engine.dispose()


class AsyncOwn(AsyncSession):
    """An application's own async session class."""


@pytest.mark.parametrize("kind", ["maker", "scoped", "class"])
async def test_async_sessions_hide_too(kind, anyio_backend):
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(forum.Base.metadata.create_all)
        await connection.run_sync(forum.eraser().create_tables)
        await connection.run_sync(lambda sync: forum.move_in(sync, ADA, "ada@a.example", "Ada L."))
        await connection.run_sync(forum.eraser().close_account, ADA, actor="test")
    maker = async_sessionmaker(engine)
    target = {"maker": maker, "scoped": async_scoped_session(maker, asyncio.current_task)}.get(kind)
    hide_closed(target or AsyncOwn, POLICY)

    async with maker() if target else AsyncOwn(engine) as session:
        assert await session.get(User, ADA) is None
        assert await session.scalar(select(func.count(User.id))) == 0
        query = select(Post).options(selectinload(Post.author))
        assert {post.author.id for post in await session.scalars(query)} == {ADA}
        assert await session.get(User, ADA) is None
        with include_closed():
            assert (await session.get(User, ADA)).id == ADA
    await engine.dispose()


# ---------------------------------------------------------------- what one session has seen


def test_the_first_block_of_a_process_may_ask(engine):
    """Nothing has told the filter yet which class the people are."""
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    with maker() as session:
        with include_closed():
            held = session.get(User, ADA)

        assert session.get(User, ADA) is None
        assert held.id == ADA


def test_an_account_closed_elsewhere_is_shown_until_it_is_expired(engine, session):
    """An ORM answers with what it holds; `commit` expires it."""
    with engine.begin() as connection:
        connection.execute(insert(User), [{"id": 3, "email": "new@example.org", "bio": ""}])
    held = session.get(User, 3)
    session.rollback()
    session.get(User, 3)
    session.expunge_all()
    session.add(held)
    assert held.email
    session.commit()

    with engine.begin() as connection:
        forum.eraser().close_account(connection, 3, actor="test")

    assert session.get(User, 3) is None


def test_a_tombstone_that_is_not_loaded_is_looked_up(session):
    author = joinedload(Post.author).options(defer(User.deleted_at, raiseload=True))
    query = select(Post).where(Post.author_id.in_([ADA, GRACE])).options(author)
    held = [post.author for post in session.scalars(query)]

    assert session.get(User, ADA) is None
    assert session.get(User, GRACE) in held


def test_a_session_can_ask_for_good(engine, session):
    maker = sessionmaker(engine, execution_options={"include_closed": True})
    hide_closed(maker, POLICY)

    with maker() as curious:
        assert curious.get(User, ADA) is not None
        assert curious.get(User, ADA) is not None
        assert len(curious.scalars(select(User)).all()) == 2
        stale = User(id=ADA, email="new@example.org", bio="")
        assert curious.merge(stale).id == ADA


def test_merging_new_rows_and_open_accounts_goes_on(session):
    merged = session.merge(User(id=GRACE, email="new@example.org", bio=""))
    session.flush()
    assert session.scalars(select(User.email).where(User.id == GRACE)).one() == "new@example.org"

    added = session.merge(User(email="other@example.org", bio=""))

    assert (merged.id, added in session.new) == (GRACE, True)


def test_a_refused_merge_says_how_it_is_meant_and_names_nobody(session):
    with pytest.raises(ClosedMergeError) as refused:
        session.merge(User(id=ADA, email="new@example.org"))

    assert "with include_closed(): session.merge(...)" in str(refused.value)
    assert "example.org" not in str(refused.value)
    assert not session.new
    assert not session.dirty


# ---------------------------------------------------------------- statements kept by SQLAlchemy


def test_one_statement_is_hidden_and_shown_by_turns(session):
    """SQLAlchemy caches what it compiled, and we what a statement needs."""
    query = select(User.id).order_by(User.id)
    shown = query.execution_options(include_closed=True)

    found = [session.scalars(each).all() for each in (query, shown, query, shown, query)]

    assert found == [[GRACE], [ADA, GRACE], [GRACE], [ADA, GRACE], [GRACE]]


def test_threads_do_not_mix_hidden_and_shown(engine):
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    query = select(User.id).order_by(User.id)

    def look(asks):
        with maker() as session, include_closed() if asks else nullcontext():
            return [session.scalars(query).all() for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(look, [True, False] * 4))

    assert asked == [[[ADA, GRACE]] * 20, [[GRACE]] * 20] * 4


def test_sql_is_compiled_once_for_a_session_that_hides_and_once_for_one_that_does_not(engine):
    maker, cache = sessionmaker(), {}
    hide_closed(maker, POLICY)

    with engine.connect().execution_options(compiled_cache=cache) as connection:
        found = [
            [sessions(bind=connection).get(User, key) is not None for key in (ADA, GRACE)]
            for sessions in (maker, Session, maker, Session)
        ]

    assert found == [[False, True], [True, True]] * 2
    assert len(cache) == 2


@pytest.mark.parametrize(
    "statement",
    [
        select(Order).where(Order.id == 11),
        select(Order.note, Category.title).join(Category, Category.id == Order.id),
        select(Post).options(defer(Post.body)),
        update(Order).values(note="x").where(Order.id == 11),
        insert(Category).values(title="x"),
        insert(User).values(id=9, email="x@example.org", bio=""),
        select(User.__table__),
    ],
)
def test_a_statement_that_cannot_show_people_is_left_as_it_is(engine, statement):
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    run = []
    event.listen(maker, "do_orm_execute", lambda state: run.append(state.statement))

    with maker() as session:
        session.execute(statement)

    assert run[-1] is statement or run[-1].compare(statement)
    assert not run[-1]._with_options or run[-1]._with_options == statement._with_options


def test_shapes_are_forgotten_when_there_are_too_many(session, monkeypatch):
    monkeypatch.setattr(statement_filter, "MAX_SHAPES", 3)

    for number in range(1, 9):
        columns = [User.id.label(f"id_{i}") for i in range(number)]
        assert session.scalars(select(*columns)).all() == [GRACE]


class Opaque(TypeDecorator):
    """A type that does not say whether statements with it may be cached."""

    impl = Integer


@pytest.mark.filterwarnings("ignore:.*will not produce a cache key")
def test_a_statement_without_a_key_is_filtered_too(session):
    for where in (User.id == literal(ADA, Opaque()), Post.author.has(User.id == ADA)):
        query = select(func.count(Post.id)).join(User).where(where)
        assert session.scalar(query.where(literal(1, Opaque()) == 1)) == 0
    assert session.scalar(select(func.count(Order.id)).where(literal(1, Opaque()) == 1)) == 4


def test_a_class_that_is_mapped_later_is_hidden_too(session):
    assert session.scalars(select(User.id)).all() == [GRACE]

    class Member(registry().generate_base()):
        __table__ = User.__table__

    assert session.scalars(select(Member.id)).all() == [GRACE]
    assert session.get(Member, ADA) is None


def test_a_class_may_leave_the_tombstone_out(session):
    class Reader(registry().generate_base()):
        __table__ = User.__table__
        __mapper_args__ = {"exclude_properties": ["deleted_at"]}  # noqa: RUF012

    with include_closed():
        held = session.get(Reader, ADA)

    assert session.get(Reader, ADA) is None
    assert held.id == ADA
    assert session.scalars(select(Reader.id)).all() == [GRACE]
    with pytest.raises(UnfilteredStatementError):
        session.scalars(select(Post.id).select_from(join(Post, Reader, Reader.id == Post.id)))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Session, "_get_impl"),
        (select(User), "_generate_cache_key"),
        (select(User), "_generate"),
        (select(User), "_with_options"),
        (lambda_stmt(lambda: select(User)), "_resolved"),
        (select(User.id).selected_columns.id, "_annotations"),
    ],
)
def test_what_is_private_in_sqlalchemy_and_has_no_public_way_is_there(owner, name):
    assert hasattr(owner, name)


# ---------------------------------------------------------------- people as a kind of something


@pytest.fixture
def parties(database):
    """People are one kind of party; the class of parties knows nothing of closing."""
    base = registry().generate_base()

    class Party(base):
        __tablename__ = "parties"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "firm"}  # noqa: RUF012
        id = mapped_column(Integer, primary_key=True)
        kind = mapped_column(String(10))

    class Person(Party):
        __tablename__ = "persons"
        __table_args__ = (data_subject(not_personal=["role"]),)
        __mapper_args__ = {"polymorphic_identity": "person"}  # noqa: RUF012
        id = mapped_column(ForeignKey("parties.id"), primary_key=True)
        role = mapped_column(String(10))
        deleted_at = mapped_column(DateTime(timezone=True))

    base.metadata.create_all(database)
    maker = sessionmaker(database)
    hide_closed(maker, Policy.from_metadata(base.metadata))
    with maker() as session:
        session.add_all([Person(id=1, deleted_at=forum.NOW), Person(id=2), Party(id=3)])
        session.commit()
        yield SimpleNamespace(session=session, Party=Party, Person=Person)


def test_nobody_is_closed_between_the_look_at_a_list_of_keys_and_the_update(engine):
    """Else the new name would come into a row that the closing has just emptied."""
    refused = []

    def close_grace(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE users SET name") and not refused:
            with engine.connect() as connection:
                soon = {"sqlite": "PRAGMA busy_timeout = 1"}
                connection.execute(text(soon.get(engine.dialect.name, "SET lock_timeout = 1")))
                with pytest.raises(StatementError) as caught:
                    forum.eraser().close_account(connection, GRACE, actor="test")
            refused.append(caught.value)

    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    with maker.begin() as session:
        event.listen(engine, "before_cursor_execute", close_grace)
        session.execute(update(User), [{"id": GRACE, "name": "Grace Brewster"}])
    with engine.begin() as connection:
        receipt = forum.eraser().close_account(connection, GRACE, actor="test")

    assert len(refused) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(User.name).where(User.id == GRACE)) is None
    assert not receipt.already_closed


def test_the_class_above_people_hides_them_too(parties):
    session, party, person = parties.session, parties.Party, parties.Person
    everything = with_polymorphic(party, "*")

    for column in (party.id, aliased(party).id, everything.id):
        assert session.scalars(select(column).order_by(column)).all() == [2, 3]
    assert session.scalars(select(person.id)).all() == [2]
    assert session.get(party, 1) is None
    assert session.get(person, 1) is None
    assert session.execute(update(party).values(kind="x").where(party.id != 3)).rowcount == 1
    session.execute(update(party), [{"id": 1, "kind": "y"}, {"id": 3, "kind": "y"}])
    assert session.scalars(text("SELECT id FROM parties WHERE kind = 'y'")).all() == [3]


def test_people_below_another_class_are_not_written_in_bulk(parties):
    """The condition is about the table above, which such an UPDATE does not have."""
    for statement in (
        update(parties.Person).values(role="x"),
        delete(parties.Person),
        select(aliased(parties.Party, select(parties.Party.kind).subquery()).kind),
    ):
        with pytest.raises(UnfilteredStatementError):
            parties.session.execute(statement)
    core_only = {"dml_strategy": "core_only"}
    statement = update(parties.Party).values(kind="x").execution_options(**core_only)
    with pytest.raises(UnfilteredStatementError):
        parties.session.execute(statement)


# ---------------------------------------------------------------- async


@pytest.fixture
async def async_sessions(anyio_backend):
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(forum.Base.metadata.create_all)
        await connection.run_sync(forum.eraser().create_tables)
        await connection.run_sync(lambda sync: forum.move_in(sync, ADA, "ada@a.example", "Ada L."))
        await connection.run_sync(forum.eraser().close_account, ADA, actor="test")
    maker = async_sessionmaker(engine)
    hide_closed(maker, POLICY)
    yield maker
    await engine.dispose()


async def test_a_task_that_outlives_the_block_sees_its_end(async_sessions, anyio_backend):
    looked, ended = asyncio.Event(), asyncio.Event()

    async def look():
        async with async_sessions() as session:
            found = [await session.get(User, ADA)]
            looked.set()
            await ended.wait()
            return [*found, await session.get(User, ADA), await session.scalar(select(User.id))]

    with include_closed():
        task = asyncio.create_task(look())
        await looked.wait()
    ended.set()
    inside, *after = await task

    assert inside.id == ADA
    assert after == [None, None]


async def test_streams_and_merges_are_hidden_and_refused(async_sessions, anyio_backend):
    async with async_sessions() as session:
        assert [user async for user in await session.stream_scalars(select(User))] == []
        with pytest.raises(NoResultFound):
            await session.get_one(User, ADA)
        with pytest.raises(ClosedMergeError):
            await session.merge(User(id=ADA, email="new@example.org"))
        post = (await session.scalars(select(Post).options(selectinload(Post.author)))).first()
        await session.refresh(post.author)
        assert post.author.id == ADA
        assert await session.run_sync(lambda sync: sync.get(User, ADA)) is None
