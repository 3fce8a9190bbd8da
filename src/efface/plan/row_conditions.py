"""Select the rows of a table to delete, those to redact, and those to retain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import and_, false, or_, tuple_
from sqlalchemy.engine import Dialect

from efface.plan.dialect_sql import paired_values
from efface.plan.path_sql import Condition, is_not_true
from efface.plan.reached_rows import ReachedRows
from efface.policy.actions import Delete, Redact, Retain, Revoke
from efface.policy.policy import PersonalColumn


@dataclass(kw_only=True)
class RowConditions:
    """The SQL conditions for the rows that a table's relationships find.

    If relationships disagree about a row, Retain wins over Redact and Redact over Delete. But a
    relationship that the redaction overwrites does not win over one that it leaves.
    """

    targets: tuple[ReachedRows, ...]
    dialect: Dialect
    batch: bool = False

    def has(self, *kinds: type) -> bool:
        """Return whether a relationship has an action of one of these *kinds*."""
        return any(isinstance(target.action, kinds) for target in self.targets)

    @cached_property
    def redacts(self) -> bool:
        """Return whether rows may be redacted."""
        return self.has(Redact)

    @cached_property
    def revokes(self) -> bool:
        """Return whether the rows are credentials, which are deleted first."""
        return self.has(Revoke)

    def _with(self, *kinds: type) -> list[ReachedRows]:
        return [target for target in self.targets if isinstance(target.action, kinds)]

    def _any(self, *kinds: type) -> Condition:
        return or_(false(), *(target.condition for target in self._with(*kinds)))

    def _reached(self, targets: Sequence[ReachedRows], *unless: type) -> Condition:
        """Return the condition for rows of *targets* that no target of *unless* outranks."""
        # Targets that the same ones outrank share one condition, which keeps the SQL short.
        by_rank: dict[tuple[int, ...], list[ReachedRows]] = {}
        for target in targets:
            rank = [id(other) for other in self._with(*unless) if other.outranks(target)]
            # In a batch, each end of a row may belong to another subject.
            by_rank.setdefault((*rank, id(target)) if self.batch else tuple(rank), []).append(
                target
            )
        return or_(false(), *(self._unless(each, unless) for each in by_rank.values()))

    def _unless(self, targets: Sequence[ReachedRows], unless: tuple[type, ...]) -> Condition:
        outranking = [
            and_(other.condition, self._same_person(targets[0], other))
            if self.batch
            else other.condition
            for other in self._with(*unless)
            if other.outranks(targets[0])
        ]
        reached = or_(false(), *(target.condition for target in targets))
        # NOT alone would exclude rows in which a foreign key is NULL.
        return and_(reached, *[is_not_true(or_(*outranking))] if outranking else [])

    def _same_person(self, one: ReachedRows, other: ReachedRows) -> Condition:
        """Return the condition that both relationships of a row have the same subject.

        Only those of the same subject outrank each other, as if accounts were closed one by one.
        """
        names, others = one.batch_parameter, other.batch_parameter
        if names[0] == others[0]:
            return one.owner == other.owner
        known = paired_values(self.dialect, names, others)
        return tuple_(one.owner, other.owner).in_(known)

    @cached_property
    def retained(self) -> Condition:
        """Return the condition for rows that keep their values."""
        return self._any(Retain)

    @cached_property
    def removed(self) -> Condition:
        """Return the condition for rows to delete: Retain and Redact outrank Delete."""
        if not self.has(Delete, Revoke):
            return false()
        return self._reached(self._with(Delete, Revoke), Retain, Redact)

    @cached_property
    def redacted(self) -> Condition:
        """Return the condition for rows to redact: Retain outranks Redact."""
        if not self.redacts:
            return false()
        stays = self._reached(self._with(Redact), Retain)
        # Another subject of the batch, or a relationship that stays, may delete the row.
        return and_(stays, is_not_true(self.removed)) if self._is_shared else stays

    @property
    def _is_shared(self) -> bool:
        goes_too = self.batch or any(target.is_overwritten for target in self.targets)
        return goes_too and self.redacts and self.has(Delete, Revoke)

    def _where(self, rule: PersonalColumn) -> Condition:
        """Return the condition for rows in which the column's value is the subject's."""
        if rule.via is None:
            return self.redacted
        mine = [target for target in self.targets if target.via == rule.via]
        reached = self._reached(mine, Retain)
        if all(isinstance(target.action, Redact) for target in mine) and not self._is_shared:
            return reached
        # The rule of another relationship of the same subject may keep the row.
        return and_(self.redacted, reached)

    def target_of(self, rule: PersonalColumn) -> ReachedRows:
        """Return the relationship that says whose value the column has."""
        if rule.via is None:
            return next(t for t in self.targets if isinstance(t.action, Redact))
        return next(t for t in self.targets if t.via == rule.via)
