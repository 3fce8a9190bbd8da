"""Send the confirmation email after the commit, without blocking the event loop."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from efface.evidence.receipt import Receipt
from efface.page.confirmation_email import AttemptEmail, ConfirmationEmail, Send
from efface.safe_logging import reporter

report = reporter("efface.asgi")

PrepareEmail = Callable[[Session, Any], Send | None]
"""Reads the address in the transaction that closes the account, and returns a function that sends
the email, or None."""


def email_of(
    prepare: PrepareEmail | None, compose: Callable[[Receipt], ConfirmationEmail]
) -> AttemptEmail:
    """Return the email of one attempt; *compose* makes its text from the receipt."""

    def take(session: Session, subject: Any) -> Send | None:
        # A statement that fails ends the whole transaction on some databases.
        with session.begin_nested():
            return prepare(session, subject) if prepare is not None else None

    return AttemptEmail(take if prepare is not None else None, compose, report)


async def send(email: AttemptEmail, receipt: Receipt) -> None:
    """Send the email once; log a failure without the address."""
    try:
        sent = await run_in_threadpool(email.send, receipt)
        if isinstance(sent, Awaitable):
            await sent
    except Exception as error:  # noqa: BLE001  (what a mailer raises can quote the address)
        email.failed(receipt, error)


def require_plain_function(prepare: PrepareEmail | None) -> PrepareEmail | None:
    """Return *prepare* if it is a plain function.

    Raises:
        TypeError: It is asynchronous.
    """
    if inspect.iscoroutinefunction(prepare):
        raise TypeError(
            "confirmation_email must be a plain function, because its session is synchronous."
        )
    return prepare
