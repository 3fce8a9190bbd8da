"""Close the account of the user who asks, by form, by program or over a WebSocket."""

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
from efface.page.attempt_outcome import AttemptResult, Outcome
from efface.page.blockers import require_blockers
from efface.page.confirmation_email import AttemptEmail
from efface.page.identity_proof import Proof
from efface.safe_logging import reporter

report = reporter("efface.asgi")

logger = logging.getLogger("efface.asgi")

# Finalizing is for writers that waited on our lock, and the user waits for the goodbye page. Both
# come first.
_SECONDS_BEFORE_FINALIZING = 0.25

T = TypeVar("T")


class Attempts:
    """Close accounts for the users who ask, and run what follows the commit."""

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
    ) -> AttemptResult:
        """Close the account of the user behind *connection*, if they prove their identity.

        Args:
            connection: The request or the socket.
            fields: ``current_password`` and ``confirm`` as they were sent.
            channel: Recorded in the receipt: form, program or socket.
            email: The confirmation email, sent after the commit.
            own: The event that asked. Its page gets the progress, and is logged out last, by its
                own message loop, after its answer.
        """
        try:
            return await self._attempt(connection, fields, channel, email, own)
        except TooManyAttemptsError as limit:
            return AttemptResult(Outcome.LIMITED, retry_after=limit.retry_after)
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("Closing an account failed", error)
            return AttemptResult(Outcome.FAILED)

    async def _attempt(
        self,
        connection: HTTPConnection,
        fields: Mapping[str, Any],
        channel: str,
        email: AttemptEmail,
        own: LiveEvent | None,
    ) -> AttemptResult:
        subject = await self._live.who(connection)
        if subject is None:
            return AttemptResult(Outcome.LOGGED_OUT)
        if fields.get("confirm") != "yes":
            return AttemptResult(Outcome.UNCONFIRMED)
        proof, missing = await self._prove(connection, subject, fields)
        # Asked again, because a password check takes long enough for the session to end
        # meanwhile, by a second click or by the user on another device.
        if await self._live.who(connection) != subject:
            return AttemptResult(Outcome.LOGGED_OUT, was_logged_in=True)
        if missing is not None:
            return AttemptResult(missing)
        actor = f"self-service by {channel}, {proof}"
        # A browser that disconnects cancels this request, but not the closing.
        return await asyncio.shield(self._begin(self._carry_out(subject, actor, email, own)))

    async def wait_finalized(self) -> None:
        """Wait until all work that closures in this process have started is done or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def finalize_at_shutdown(self, seconds: float) -> None:
        """Wait for the work that closures have started, and log what did not end in time."""
        try:
            await asyncio.wait_for(self.wait_finalized(), seconds)
        except TimeoutError:
            logger.warning("At shutdown %d closures were not finalized.", len(self._tasks))

    async def _prove(
        self, connection: HTTPConnection, subject: Hashable, fields: Mapping[str, Any]
    ) -> tuple[Proof, Outcome | None]:
        """Return the proof that the user needs, and how the attempt ends if it is missing."""
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
    ) -> AttemptResult:
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
        except BlockedError as error:
            return AttemptResult(Outcome.BLOCKED, blockers=require_blockers(error.reasons))
        except Exception as error:  # noqa: BLE001  (here, because the caller may be gone by now)
            report("Closing an account failed", error)
            return AttemptResult(Outcome.FAILED)
        # From here on the account is closed, even if a message fails.
        await self._live.end(subject, besides=own.connection if own else None)
        if not receipt.already_closed:
            self._begin(self._after(receipt, email))
        return AttemptResult(Outcome.CLOSED, receipt)

    async def _after(self, receipt: Receipt, email: AttemptEmail) -> None:
        # Together, because a mail server that doesn't answer must not delay finalizing.
        await asyncio.gather(send(email, receipt), self._finalize(receipt))

    async def _finalize(self, receipt: Receipt) -> None:
        try:
            await asyncio.sleep(_SECONDS_BEFORE_FINALIZING)
            await in_transaction(
                self._finder.session_factory,
                lambda session: self._finder.eraser.finalize(session, receipt),
            )
        except asyncio.CancelledError:
            logger.warning("Finalizing %s was interrupted.", receipt.reference)
            raise
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            # The account is closed. Finalizing and the search have failed.
            report(f"Finalizing {receipt.reference} failed", error)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # The event loop itself keeps only weak references to tasks.
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
