"""What every call of an eraser begins with: its arguments, and the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from efface.eraser.blockers import BlockerCheck, Blockers
from efface.eraser.call_context import CallContext, new_reference, require_recordable, utc_now
from efface.eraser.callers_transaction import Bind, join
from efface.eraser.compiled_policy import CompiledPolicies, CompiledPolicy
from efface.eraser.session_engines import SessionEngines
from efface.eraser.subject_keys import SubjectKeys
from efface.plan.cursor import Cursor
from efface.plan.table_statements import RandomSource
from efface.policy.policy import Policy
from efface.store.fingerprints import Fingerprints


class JoinedCalls:
    """A policy with its secret, clock and compiled statements; `Eraser` has the calls."""

    def __init__(
        self,
        policy: Policy,
        *,
        secret: bytes | str,
        blockers: Blockers | None = None,
        clock: Callable[[], datetime] = utc_now,
        reference: Callable[[], str] = new_reference,
        random_source: RandomSource = None,
    ) -> None:
        """Make an eraser for *policy*. Nothing is checked yet, so your application can start.

        Args:
            policy: The rules.
            secret: The key of the fingerprints in receipts and records, at least 16 bytes. Keep
                it: with another secret, Efface does not recognize the accounts it closed.
            blockers: Takes a session and a primary key, and returns reasons not to close the
                account now, or nothing. The page, commands and batches ask it when the row is
                locked. Lock what it reads (``FOR UPDATE``), always in the same order. If *bind*
                is a connection, the session does not hide closed accounts.
            clock: Returns the current time, aware.
            reference: Returns a unique reference for a receipt, at most 32 characters.
            random_source: Returns 32 random hexadecimal digits for a placeholder. By default, the
                database generates them.

        Raises:
            WeakSecretError: *secret* is too short.
        """
        self.policy = policy
        self.blockers = blockers
        self._fingerprints = Fingerprints(secret)
        self._clock = clock
        self._reference = reference
        self._compiled = CompiledPolicies(policy, random_source)
        self._engines = SessionEngines(policy)

    def _context(self, actor: Any, blockers: BlockerCheck | None = None) -> CallContext:
        require_recordable("actor", actor)
        if blockers is not None and blockers.override is not None:
            require_recordable("override_blockers", blockers.override)
        return CallContext(actor, self._now(), self._fingerprint, self._reference, blockers)

    @contextmanager
    def _joined(self, bind: Bind) -> Iterator[tuple[Cursor, CompiledPolicy]]:
        with join(bind, self._engines) as cursor:
            yield cursor, self._compiled.for_connection(cursor.connection)

    @cached_property
    def _keys(self) -> SubjectKeys:
        return SubjectKeys(self.policy.subject_table)

    def _key_of(self, pk: Any) -> tuple[Any, ...]:
        return self._keys.key_of(pk)

    def _fingerprint(self, key: tuple[Any, ...]) -> str:
        return self._fingerprints.of(self.policy.subject_table.fullname, key)

    def _now(self) -> datetime:
        # To the second: databases store different fractions, and `deleted_at` is compared later.
        return self._clock().astimezone(UTC).replace(microsecond=0)
