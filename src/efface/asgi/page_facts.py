"""Find out what a closure would do to one user, what blocks it, and what proof it needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from efface.asgi.password_check import Proofs
from efface.asgi.session_transaction import in_transaction, in_transaction_here, is_async
from efface.eraser.blockers import BlockerCheck
from efface.eraser.eraser import Eraser
from efface.page.blockers import Blocker, require_blockers
from efface.page.identity_proof import Proof
from efface.plan.plan import Step

Blockers = Callable[[Session, Any], Sequence[Blocker]]


@dataclass(frozen=True)
class AccountFacts:
    """What the page says about one user, before it is put into words."""

    steps: tuple[Step, ...]
    blockers: tuple[Blocker, ...]
    proof: Proof


@dataclass(frozen=True)
class FactFinder:
    """Ask the database and the application, in one transaction."""

    eraser: Eraser
    session_factory: Any
    proofs: Proofs
    blockers: Blockers | None = None

    @property
    def needs_a_loop(self) -> bool:
        """Tell whether the facts need an event loop."""
        return is_async(self.session_factory) or self.proofs.needs_a_loop

    @property
    def is_usual(self) -> bool:
        """Tell whether all users see the same form: nothing blocks, and all have a password."""
        return self.proofs.is_usual and self.blockers is None and self.eraser.blockers is None

    def here(self, connection: HTTPConnection, subject: Hashable) -> AccountFacts:
        """Return the facts about *subject*, in this thread."""
        facts = in_transaction_here(
            self.session_factory, lambda session: self._read(session, subject)
        )
        if facts.proof is Proof.PASSWORD:
            return facts
        return _with_login(facts, recent=self.proofs.is_recent_here(connection))

    async def of(self, connection: HTTPConnection, subject: Hashable) -> AccountFacts:
        """Return the facts about *subject* without blocking the event loop."""
        facts = await in_transaction(
            self.session_factory, lambda session: self._read(session, subject)
        )
        if facts.proof is Proof.PASSWORD:
            return facts
        return _with_login(facts, recent=await self.proofs.is_recent(connection))

    def _read(self, session: Session, subject: Hashable) -> AccountFacts:
        steps = self.eraser.preview(session, subject)
        asked = BlockerCheck(session, self.eraser.blockers, self.blockers).reasons(subject)
        has_password = self.proofs.has_password(session, subject)
        return AccountFacts(
            steps, require_blockers(asked), Proof.PASSWORD if has_password else Proof.LOG_IN_AGAIN
        )


def _with_login(facts: AccountFacts, *, recent: bool) -> AccountFacts:
    return replace(facts, proof=Proof.RECENT_LOGIN) if recent else facts
