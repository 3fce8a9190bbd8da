"""HOST · Run one synchronous piece of work in one transaction of the host's sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

T = TypeVar("T")
Work = Callable[[Session], T]


def is_async(database: Any) -> bool:
    """Tell whether *database* makes asynchronous sessions."""
    # By what the sessions can do: importing SQLAlchemy's asyncio part just to ask
    # would make greenlet a dependency of hosts that never use it.
    return hasattr(getattr(database, "class_", None), "run_sync")


def in_transaction_here(database: Any, work: Work[T]) -> T:
    """Return what *work* returns, committed; in this thread, from a sync sessionmaker."""
    with database() as session, session.begin():
        return work(session)


async def in_transaction(database: Any, work: Work[T]) -> T:
    """Return what *work* returns, committed; without blocking the event loop."""
    if is_async(database):
        async with database() as session, session.begin():
            result: T = await session.run_sync(work)
            return result
    return await run_in_threadpool(in_transaction_here, database, work)
