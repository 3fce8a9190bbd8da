"""Closed accounts disappear from ORM statements; relations still show who wrote a post."""

import asyncio
import contextvars

import pytest
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (
    Session,
    aliased,
    joinedload,
    scoped_session,
    selectinload,
    sessionmaker,
    subqueryload,
)
from sqlalchemy.pool import StaticPool

from efface import Policy
from efface.sqlalchemy import hide_closed, include_closed
from tests.schemas import forum
from tests.schemas.forum import Post, User

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
