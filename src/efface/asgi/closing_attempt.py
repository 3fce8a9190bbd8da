"""HOST · One attempt to close one's own account, whichever way it came in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Hashable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from efface.asgi.email_after_commit import send
from efface.asgi.live import Live
from efface.asgi.page_facts import FactFinder
from efface.asgi.session_transaction import in_transaction
from efface.errors import BlockedError
from efface.errors.integration_refusals import TooManyAttemptsError
from efface.evidence.receipt import Receipt
from efface.live.closing_progress import Progress
from efface.live.live_event import LiveEvent
from efface.page.attempt_outcome import Answer, Outcome
from efface.page.confirmation_email import AttemptEmail
from efface.page.identity_proof import Proof
from efface.safe_logging import reporter

report = reporter("efface.asgi")

logger = logging.getLogger("efface.asgi")

# The second pass is for writers that waited on our lock, and the person waits for the farewell:
# both are served first.
_SECONDS_BEFORE_FINALIZING = 0.25

T = TypeVar("T")


class Attempts:
    """Closes accounts for the people who ask, and looks after what follows the commit."""

    def __init__(self, finder: FactFinder, live: Live) -> None:
        self._finder, self._live = finder, live
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(
        self,
        connection: HTTPConnection,
        fields: Mapping[str, Any],
        *,
        channel: str,
        email: AttemptEmail,
        own: LiveEvent | None = None,
    ) -> Answer:
        """Close the account of whoever is behind *connection*, if they prove it is them.

        *fields* holds ``current_password`` and ``confirm`` as they came in; *channel* is
        recorded with the closing; *letter* goes out after it; *own* is the event that asked. Its
        page is told how far it is, and signed out last, by its own loop, after its ack.
        """
        try:
            return await self._attempt(connection, fields, channel, email, own)
        except TooManyAttemptsError as limit:
            return Answer(Outcome.LIMITED, retry_after=limit.retry_after)
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("Closing an account failed", error)
            return Answer(Outcome.FAILED)

    async def _attempt(
        self,
        connection: HTTPConnection,
        fields: Mapping[str, Any],
        channel: str,
        email: AttemptEmail,
        own: LiveEvent | None,
    ) -> Answer:
        subject = await self._live.who(connection)
        if subject is None:
            return Answer(Outcome.LOGGED_OUT)
        if fields.get("confirm") != "yes":
            return Answer(Outcome.UNCONFIRMED)
        proof, missing = await self._prove(connection, subject, fields)
        # Asked again: a password check takes long enough for the session to end
        # meanwhile, by a second click or by the owner on another device.
        if await self._live.who(connection) != subject:
            return Answer(Outcome.LOGGED_OUT)
        if missing is not None:
            return Answer(missing)
        actor = f"self-service by {channel}, {proof}"
        # A browser that goes away cancels us, but not what has begun.
        return await asyncio.shield(self._begin(self._carry_out(subject, actor, email, own)))

    async def wait_finalized(self) -> None:
        """Wait until what every closing in this process has begun is done or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def finalize_at_shutdown(self, seconds: float) -> None:
        """Wait for what has begun, and say in the log what did not end in time."""
        try:
            await asyncio.wait_for(self.wait_finalized(), seconds)
        except TimeoutError:
            logger.warning("At shutdown %d closings were not settled.", len(self._tasks))

    async def _prove(
        self, connection: HTTPConnection, subject: Hashable, fields: Mapping[str, Any]
    ) -> tuple[Proof, Outcome | None]:
        """Return what was asked for, and how the attempt ends where it was not given."""
        proofs, password = self._finder.proofs, fields.get("current_password")

        def check(session: Session) -> bool | None:
            if not proofs.has_password(session, subject):
                return None
            return proofs.is_password(session, subject, password)

        known = await in_transaction(self._finder.session_factory, check)
        if known is not None:
            return Proof.PASSWORD, None if known else Outcome.WRONG_PASSWORD
        recent = await proofs.is_recent(connection)
        return Proof.RECENT_LOGIN, None if recent else Outcome.STALE

    async def _carry_out(
        self, subject: Hashable, actor: str, email: AttemptEmail, own: LiveEvent | None
    ) -> Answer:
        blockers = email.blockers(self._finder.blockers)
        progress = Progress(own.push) if own else None
        on_progress = progress.note if progress else None
        try:
            async with progress.reporting() if progress else nullcontext():
                receipt = await in_transaction(
                    self._finder.session_factory,
                    lambda session: self._finder.eraser.close_account(
                        session, subject, actor=actor, blockers=blockers, on_progress=on_progress
                    ),
                )
        except BlockedError as blockers:
            return Answer(Outcome.BLOCKED, blockers=blockers.reasons)
        except Exception as error:  # noqa: BLE001  (here, as the one who asked may be gone by now)
            report("Closing an account failed", error)
            return Answer(Outcome.FAILED)
        # From here the account is closed, whatever becomes of the messages.
        await self._live.end(subject, besides=own.connection if own else None)
        if not receipt.already_closed:
            self._begin(self._after(receipt, email))
        return Answer(Outcome.CLOSED, receipt)

    async def _after(self, receipt: Receipt, email: AttemptEmail) -> None:
        # Beside each other: a mail server that does not answer must not put off the second pass.
        await asyncio.gather(send(email, receipt), self._finalize(receipt))

    async def _finalize(self, receipt: Receipt) -> None:
        try:
            await asyncio.sleep(_SECONDS_BEFORE_FINALIZING)
            await in_transaction(
                self._finder.session_factory,
                lambda session: self._finder.eraser.finalize(session, receipt),
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
