"""Delete expired tokens once an hour, because each can contain an email address."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from garden.accounts.tokens import delete_expired_tokens

logger = logging.getLogger("garden.accounts")

AN_HOUR = 3600


@asynccontextmanager
async def purging(app: FastAPI) -> AsyncIterator[None]:
    """Purge as long as the application runs, beginning with its start."""
    task = asyncio.create_task(_purge_hourly(app.state.sessions))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def purge(sessions: sessionmaker[Session]) -> int:
    """Delete the expired tokens in a transaction of its own; return how many there were."""
    with sessions.begin() as session:
        return delete_expired_tokens(session)


async def _purge_hourly(sessions: sessionmaker[Session]) -> None:
    while True:
        try:
            await run_in_threadpool(purge, sessions)
        except SQLAlchemyError as error:
            # In an hour it may work again; what the driver says can quote rows.
            logger.warning("Purging tokens failed: %s", type(error).__name__)
        await asyncio.sleep(AN_HOUR)
