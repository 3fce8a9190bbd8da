"""HOST · The mail to somebody who has left: whereto is asked before, and it goes out after.

The address is never given to us: what the host returns before the erasure holds it, and is let
go of when it has been called.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from efface.asgi.facts import Blockers
from efface.asgi.quiet import report
from efface.evidence.receipt import Receipt
from efface.page.blocker import Blocker
from efface.page.farewell import Farewell

Send = Callable[[Farewell], Any]
Part = Callable[[Session, Any], Send | None]
"""Reads whereto in the closing's transaction, and returns what sends the mail after it."""


class Letter:
    """The one mail of one attempt to close an account.

    *word* turns the receipt into what the mail says.
    """

    __slots__ = ("_part", "_send", "_word")

    def __init__(self, part: Part | None, word: Callable[[Receipt], Farewell]) -> None:
        self._part, self._word = part, word
        self._send: Send | None = None

    def blockers(self, ask: Blockers | None) -> Blockers:
        """Return *ask*, which also takes the address where nothing blocks.

        It is asked under the lock of the person's row, while the account is open: once it is
        closed there is no address, and nobody closes it a second time.
        """

        def asked(session: Session, subject: Any) -> Sequence[Blocker]:
            found = tuple(ask(session, subject)) if ask is not None else ()
            if not found:
                self._take(session, subject)
            return found

        return asked

    async def send(self, receipt: Receipt) -> None:
        """Send the mail once; a mail that fails is said in the log, without the address."""
        send, self._send = self._send, None
        if send is None:
            return
        try:
            farewell = self._word(receipt)
            if inspect.iscoroutinefunction(send):
                await send(farewell)
                return
            sent = await run_in_threadpool(send, farewell)
            if isinstance(sent, Awaitable):
                await sent
        except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
            report(f"The farewell of {receipt.reference} could not be sent", error)

    def _take(self, session: Session, subject: Any) -> None:
        if self._part is None:
            return
        try:
            # A statement that fails ends the whole transaction on some databases.
            with session.begin_nested():
                self._send = self._part(session, subject)
        except Exception as error:  # noqa: BLE001  (without a mail the account is closed, too)
            report("The farewell could not be prepared", error)


def require_part(part: Part | None) -> Part | None:
    """Return *part*.

    Raises:
        TypeError: It is asynchronous.
    """
    if inspect.iscoroutinefunction(part):
        raise TypeError("farewell must be a plain function: its session is synchronous.")
    return part
