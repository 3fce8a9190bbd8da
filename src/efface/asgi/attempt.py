"""HOST · One attempt to close one's own account, whichever way it came in."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from efface.asgi.live import Live
from efface.asgi.quiet import report
from efface.asgi.transaction import in_transaction
from efface.eraser import Eraser
from efface.evidence.receipt import Receipt

logger = logging.getLogger("efface.asgi")

_LONGEST_PASSWORD = 1024
# The second pass is for writers that waited on our lock, and the person waits for the farewell:
# both are served first.
_SECONDS_BEFORE_SETTLING = 0.25

T = TypeVar("T")
Reauthenticate = Callable[[Session, Any, str], bool]


class Outcome(Enum):
    """How an attempt ended."""

    CLOSED = auto()
    SIGNED_OUT = auto()
    REFUSED = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Answer:
    """The outcome, and the sentence for the person."""

    outcome: Outcome
    message: str


CLOSED = Answer(Outcome.CLOSED, "Your account is closed, and you are signed out on every device.")
SIGNED_OUT = Answer(
    Outcome.SIGNED_OUT, "You are signed out. If you have just closed your account, it is closed."
)
UNCONFIRMED = Answer(
    Outcome.REFUSED, "Your account is not closed: confirm that you want to close it."
)
WRONG_PASSWORD = Answer(
    Outcome.REFUSED, "Your account is not closed: this is not your current password."
)
FAILED = Answer(Outcome.FAILED, "Your account could not be closed just now. Try again in a moment.")


class Attempts:
    """Closes accounts for the people who ask, and looks after what follows the commit."""

    def __init__(
        self, eraser: Eraser, *, database: Any, live: Live, reauthenticate: Reauthenticate
    ) -> None:
        if inspect.iscoroutinefunction(reauthenticate):
            raise TypeError(
                "reauthenticate must be a plain function: it is given a synchronous session."
            )
        self._eraser = eraser
        self._database = database
        self._live = live
        self._reauthenticate = reauthenticate
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(
        self, connection: HTTPConnection, fields: Mapping[str, Any], own: WebSocket | None = None
    ) -> Answer:
        """Close the account of whoever is behind *connection*, if they prove it is them.

        *fields* holds ``current_password`` and ``confirm`` as they came in; *own* is the
        socket that asked. It is told last, by its own loop, after its ack.
        """
        try:
            subject = await self._live.who(connection)
            if subject is None:
                return SIGNED_OUT
            if fields.get("confirm") != "yes":
                return UNCONFIRMED
            known = await self._is_password(subject, fields.get("current_password"))
            # Asked again: a password check takes long enough for the session to end
            # meanwhile, by a second click or by the owner on another device.
            if await self._live.who(connection) != subject:
                return SIGNED_OUT
            if not known:
                return WRONG_PASSWORD
            # A browser that goes away cancels us, but not what has begun.
            return await asyncio.shield(self._begin(self._carry_out(subject, own)))
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("Closing an account failed", error)
            return FAILED

    async def settled(self) -> None:
        """Wait until every closing begun in this process has been settled or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def settle_at_shutdown(self, seconds: float) -> None:
        """Wait for what has begun, and say in the log what did not end in time."""
        try:
            await asyncio.wait_for(self.settled(), seconds)
        except TimeoutError:
            logger.warning("At shutdown %d closings were not settled.", len(self._tasks))

    async def _is_password(self, subject: Hashable, password: object) -> bool:
        if not isinstance(password, str) or not 0 < len(password) <= _LONGEST_PASSWORD:
            return False
        if any("\ud800" <= character <= "\udfff" for character in password):
            return False  # half of a character: JSON can say it, no encoding can
        verdict: object = await in_transaction(
            self._database, lambda session: self._reauthenticate(session, subject, password)
        )
        # True and nothing else: a forgotten `await` returns something truthy.
        return verdict is True

    async def _carry_out(self, subject: Hashable, own: WebSocket | None) -> Answer:
        try:
            receipt = await in_transaction(
                self._database,
                lambda session: self._eraser.close_account(session, subject, actor="self-service"),
            )
        except Exception as error:  # noqa: BLE001  (here, as the one who asked may be gone by now)
            report("Closing an account failed", error)
            return FAILED
        # From here the account is closed, whatever becomes of the messages.
        await self._live.end(subject, besides=own)
        if not receipt.already_closed:
            self._begin(self._settle(receipt))
        return CLOSED

    async def _settle(self, receipt: Receipt) -> None:
        try:
            await asyncio.sleep(_SECONDS_BEFORE_SETTLING)
            await in_transaction(
                self._database, lambda session: self._eraser.settle(session, receipt)
            )
        except asyncio.CancelledError:
            logger.warning("Settling %s was interrupted.", receipt.reference)
            raise
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            # The account is closed; what failed is the second pass and the search.
            report(f"Settling {receipt.reference} failed", error)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # The event loop itself keeps only weak references to tasks.
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
