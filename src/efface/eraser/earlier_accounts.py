"""The calls of an eraser for accounts that were closed earlier."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from efface.eraser import closed_earlier
from efface.eraser.blockers import BlockerCheck
from efface.eraser.call_context import Key
from efface.eraser.callers_transaction import Bind, expire
from efface.eraser.close_account import close_one
from efface.eraser.closed_earlier import AdoptionPreview
from efface.eraser.joined_calls import JoinedCalls
from efface.evidence.receipt import Receipt


class EarlierAccounts(JoinedCalls):
    """Adopt accounts, or erase them again; `Eraser` has these calls."""

    def adopt(self, bind: Bind, pk: Any, *, actor: str) -> Receipt:
        """Erase an account that was soft-deleted before you used Efface. You commit.

        It carries out all rules and keeps the date in ``deleted_at``. An open account is closed.

        Raises:
            UnknownSubjectError: no row has this key.
            ActorIdentifiesUserError: *actor* contains the user's email address. Nothing was
                changed.
        """
        key, context = self._key_of(pk), self._context(actor, BlockerCheck(bind, self.blockers))
        with self._joined(bind) as (cursor, compiled):
            receipt = close_one(cursor, compiled, key, context, adopting=True)
        expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    def find_closed(
        self, bind: Bind, *, before: datetime, recorded: bool, after: Any = None
    ) -> list[Any]:
        """Return a page of users whose ``deleted_at`` is before a moment, by primary key.

        Only reads. Ask again with the last key as *after*, until a page is empty.

        Args:
            bind: The Session or Connection.
            before: An aware moment.
            recorded: True for the accounts that Efface closed, False for all others: those to
                `adopt`.
            after: The last key of the page before.
        """
        last = None if after is None else self._key_of(after)
        found = self._closed(bind, before, last, recorded=recorded)
        return [key[0] if len(key) == 1 else key for key in found]

    def preview_adoption(self, bind: Bind, *, before: datetime) -> AdoptionPreview:
        """Return what adopting every account would do that was soft-deleted before a moment.

        Only reads, and no text. Each step's ``rows`` are the most that may change.

        Args:
            bind: The Session or Connection.
            before: An aware moment.
        """

        def next_keys(after: Key | None) -> list[Key]:
            return self._closed(bind, before, after, recorded=False)

        with self._joined(bind) as (cursor, compiled):
            return closed_earlier.preview_adoption(cursor, compiled, next_keys, self._now())

    def erase_again(self, bind: Bind, pk: Any, *, actor: str) -> Receipt:
        """Carry out today's rules for an account that Efface closed earlier. You commit.

        Use it after you have added a rule. ``deleted_at`` and the first receipt stay. What
        `unrepeatable` lists can't be found any more, because the identifiers are gone.

        Returns:
            A further receipt, whose ``repeats`` is the reference of the first one.

        Raises:
            UnknownSubjectError: no row has this key.
            NotClosedError: the account is open.
            UnrecordedClosingError: ``deleted_at`` is set, but not by Efface; see `adopt`.
            ActorIdentifiesUserError: *actor* contains an address that the row has again.
        """
        key, context = self._key_of(pk), self._context(actor)
        with self._joined(bind) as (cursor, compiled):
            receipt = closed_earlier.erase_again(cursor, compiled, key, context)
        expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    def unrepeatable(self) -> tuple[str, ...]:
        """Return the columns that `erase_again` can't search for the user's identifiers."""
        return closed_earlier.unrepeatable(self.policy)

    def _closed(
        self, bind: Bind, before: datetime, after: Key | None, *, recorded: bool
    ) -> list[Key]:
        with self._joined(bind) as (cursor, compiled):
            return closed_earlier.find_closed(
                cursor, compiled, self._fingerprint, before, after, recorded=recorded
            )
