"""Async sessions hide closed accounts: blocks, streams and merges."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload
from sqlalchemy.pool import StaticPool

from efface.errors import ClosedMergeError
from efface.sqlalchemy import hide_closed, include_closed
from tests.sqlalchemy.hide_closed.forum_people import ADA, POLICY
from tests.support.schemas import forum
from tests.support.schemas.forum import Post, User


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
