"""Which rows of a table go, which stay without their values, and which stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import and_, false, or_

from efface.plan.statements import Condition, is_not_true
from efface.plan.target import Target
from efface.policy.actions import Delete, Redact, Retain, Revoke
from efface.policy.rules import PersonalColumn


@dataclass(kw_only=True)
class Rows:
    """The conditions of the rows that a table's links reach.

    Where links disagree about a row: Retain over Redact over Delete.
    """

    targets: tuple[Target, ...]
    many: bool = False

    def has(self, *kinds: type) -> bool:
        """Return whether some link carries an action of one of these *kinds*."""
        return any(isinstance(target.action, kinds) for target in self.targets)

    @cached_property
    def redacts(self) -> bool:
        """Return whether rows stay without their values."""
        return self.has(Redact)

    @cached_property
    def revokes(self) -> bool:
        """Return whether rows are credentials, which go before anything else."""
        return self.has(Revoke)

    def _with(self, *kinds: type) -> list[Target]:
        return [target for target in self.targets if isinstance(target.action, kinds)]

    def _any(self, *kinds: type) -> Condition:
        return or_(false(), *(target.condition for target in self._with(*kinds)))

    def _stays(self, *kinds: type) -> list[Condition]:
        return [is_not_true(self._any(*kinds))] if self.has(*kinds) else []

    def _reached(self, targets: Sequence[Target], *unless: type) -> Condition:
        """Return the condition of rows that *targets* reach, *unless* a link outranks them.

        Of many subjects, one may be at one end of a row and another at the other: a link outranks
        only another one of the same subject, as if they left one by one.
        """
        if not self.many or not self.has(*unless):
            return and_(or_(false(), *(t.condition for t in targets)), *self._stays(*unless))
        each = []
        for target in targets:
            outranking = [
                and_(other.condition, other.owner == target.owner)
                if other.owner_column == target.owner_column
                else other.condition
                for other in self._with(*unless)
            ]
            each.append(and_(target.condition, is_not_true(or_(false(), *outranking))))
        return or_(false(), *each)

    @cached_property
    def retained(self) -> Condition:
        """Return the condition of rows that stay with their values."""
        return self._any(Retain)

    @cached_property
    def removed(self) -> Condition:
        """Return the condition of rows that go: Retain and Redact outrank Delete."""
        if not self.has(Delete, Revoke):
            return false()
        return self._reached(self._with(Delete, Revoke), Retain, Redact)

    @cached_property
    def redacted(self) -> Condition:
        """Return the condition of rows that stay without their values: Retain outranks Redact."""
        if not self.redacts:
            return false()
        stays = self._reached(self._with(Redact), Retain)
        # What goes for one of many subjects does not stay for another.
        return and_(stays, is_not_true(self.removed)) if self._is_shared else stays

    @property
    def _is_shared(self) -> bool:
        return self.many and self.redacts and self.has(Delete, Revoke)

    def _where(self, mark: PersonalColumn) -> Condition:
        """Return the condition of rows in which the column's value is the person's."""
        if mark.via is None:
            return self.redacted
        mine = [target for target in self.targets if target.via == mark.via]
        reached = self._reached(mine, Retain)
        if all(isinstance(target.action, Redact) for target in mine) and not self._is_shared:
            return reached
        # A link whose rows go: of somebody who is also at another, for which the row stays.
        return and_(self.redacted, reached)

    def target_of(self, mark: PersonalColumn) -> Target:
        """Return the link through which the column's value is the person's."""
        if mark.via is None:
            return next(t for t in self.targets if isinstance(t.action, Redact))
        return next(t for t in self.targets if t.via == mark.via)
