"""HOST · Run one synchronous piece of work in one transaction of the host's sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

T = TypeVar("T")
Work = Callable[[Session], T]


def is_async(session_factory: Any) -> bool:
    """Tell whether *database* makes asynchronous sessions."""
    # By what the sessions can do: importing SQLAlchemy's asyncio part just to ask
    # would make greenlet a dependency of hosts that never use it.
    return hasattr(getattr(session_factory, "class_", None), "run_sync")


def in_transaction_here(session_factory: Any, work: Work[T]) -> T:
    """Return what *work* returns, committed; in this thread, from a sync sessionmaker."""
    with session_factory() as session, session.begin():
        return work(session)


async def in_transaction(session_factory: Any, work: Work[T]) -> T:
    """Return what *work* returns, committed; without blocking the event loop."""
    if is_async(session_factory):
        async with session_factory() as session, session.begin():
            result: T = await session.run_sync(work)
            return result
    return await run_in_threadpool(in_transaction_here, session_factory, work)
