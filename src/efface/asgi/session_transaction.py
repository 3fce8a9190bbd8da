"""Run a synchronous function in one transaction of the application's sessions.

If another transaction is in the way, such as in a deadlock, it runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from efface.errors import RetryError
from efface.execute.retries import ATTEMPTS, retried

T = TypeVar("T")
Work = Callable[[Session], T]


def is_async(session_factory: Any) -> bool:
    """Tell whether *session_factory* makes asynchronous sessions."""
    # By their methods. Importing SQLAlchemy's asyncio part to ask would make greenlet a dependency
    # of applications that don't use it.
    return hasattr(getattr(session_factory, "class_", None), "run_sync")


def in_transaction_here(session_factory: Any, work: Work[T]) -> T:
    """Run *work* in this thread, with a sync sessionmaker, commit, and return its result."""

    def transaction() -> T:
        with session_factory() as session, session.begin():
            return work(session)

    return retried(transaction)


async def in_transaction(session_factory: Any, work: Work[T]) -> T:
    """Run *work* without blocking the event loop, commit, and return its result."""
    if not is_async(session_factory):
        return await run_in_threadpool(in_transaction_here, session_factory, work)
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            async with session_factory() as session, session.begin():
                result: T = await session.run_sync(work)
                break
        except RetryError as error:
            if not (error.is_transient and attempts_left):
                raise
    return result
