"""HOST · The mail of farewell with sessions of SQLAlchemy, sent without blocking the event loop."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from efface.asgi.quiet import report
from efface.evidence.receipt import Receipt
from efface.page.farewell import Farewell
from efface.page.parting import Letter, Send

Part = Callable[[Session, Any], Send | None]
"""Reads whereto in the closing's transaction, and returns what sends the mail after it."""


def letter_of(part: Part | None, word: Callable[[Receipt], Farewell]) -> Letter:
    """Return the mail of one attempt; *word* turns the receipt into what it says."""

    def take(session: Session, subject: Any) -> Send | None:
        # A statement that fails ends the whole transaction on some databases.
        with session.begin_nested():
            return part(session, subject) if part is not None else None

    return Letter(take if part is not None else None, word, report)


async def send(letter: Letter, receipt: Receipt) -> None:
    """Send the mail once; a mail that fails is said in the log, without the address."""
    try:
        sent = await run_in_threadpool(letter.send, receipt)
        if isinstance(sent, Awaitable):
            await sent
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        letter.failed(receipt, error)


def require_part(part: Part | None) -> Part | None:
    """Return *part*.

    Raises:
        TypeError: It is asynchronous.
    """
    if inspect.iscoroutinefunction(part):
        raise TypeError("farewell must be a plain function: its session is synchronous.")
    return part
