"""Closed accounts disappear from ORM statements; relations still show who wrote a post."""

import asyncio
import contextvars

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    create_engine,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
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
    joinedload,
    scoped_session,
    selectinload,
    sessionmaker,
    subqueryload,
)
from sqlalchemy.pool import StaticPool

from efface import Delete, Policy, data_subject
from efface.errors import ClosedMergeError, MissingDeletedAtError
from efface.sqlalchemy import hide_closed, include_closed
from tests.sqlalchemy.hide_closed.forum_people import ADA, GRACE, POLICY
from tests.support.schemas import forum
from tests.support.schemas.forum import Post, User


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
