"""HOST · What holds for one person now: what a closing reaches, what blocks it, what proves it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from efface.asgi.password_check import Proofs
from efface.asgi.session_transaction import in_transaction, in_transaction_here, is_async
from efface.eraser.eraser import Eraser
from efface.page.blockers import Blocker, listed
from efface.page.identity_proof import Proof
from efface.plan.plan import Step

Blockers = Callable[[Session, Any], Sequence[Blocker]]


@dataclass(frozen=True)
class Facts:
    """What the page says about one person; what it means in words is said elsewhere."""

    steps: tuple[Step, ...]
    blockers: tuple[Blocker, ...]
    proof: Proof


@dataclass(frozen=True)
class FactFinder:
    """Asks the database and the host, in one transaction."""

    eraser: Eraser
    session_factory: Any
    proofs: Proofs
    blockers: Blockers | None = None

    @property
    def needs_a_loop(self) -> bool:
        """Tell whether the facts cannot be had without awaiting."""
        return is_async(self.session_factory) or self.proofs.needs_a_loop

    @property
    def is_usual(self) -> bool:
        """Tell whether everybody is asked for the same: nothing blocks, all have a password."""
        return self.proofs.is_usual and self.blockers is None

    def here(self, connection: HTTPConnection, subject: Hashable) -> Facts:
        """Return the facts about *subject*, in this thread."""
        facts = in_transaction_here(
            self.session_factory, lambda session: self._read(session, subject)
        )
        if facts.proof is Proof.PASSWORD:
            return facts
        return _with_login(facts, recent=self.proofs.is_recent_here(connection))

    async def of(self, connection: HTTPConnection, subject: Hashable) -> Facts:
        """Return the facts about *subject* without blocking the event loop."""
        facts = await in_transaction(
            self.session_factory, lambda session: self._read(session, subject)
        )
        if facts.proof is Proof.PASSWORD:
            return facts
        return _with_login(facts, recent=await self.proofs.is_recent(connection))

    def _read(self, session: Session, subject: Hashable) -> Facts:
        steps = self.eraser.preview(session, subject)
        found = listed(self.blockers(session, subject)) if self.blockers is not None else ()
        has_password = self.proofs.has_password(session, subject)
        return Facts(steps, found, Proof.PASSWORD if has_password else Proof.LOG_IN_AGAIN)


def _with_login(facts: Facts, *, recent: bool) -> Facts:
    return replace(facts, proof=Proof.RECENT_LOGIN) if recent else facts
