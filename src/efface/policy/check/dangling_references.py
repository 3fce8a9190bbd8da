"""Find foreign keys that would dangle: the row stays, and its parent is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint

from efface.errors import Problem
from efface.policy.actions import Clear, Delete, Redact, Retain, Revoke, Unlink
from efface.policy.column_types import column_names
from efface.policy.declarations import CloseRule
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import (
    OwnedBy,
    Via,
    named,
    onward_of,
    referring_columns,
    shown,
)


def dangling_references(policy: Policy) -> Iterator[Problem]:
    """Yield a problem for each foreign key of rows that stay to rows that are deleted.

    The database would refuse such a closure. It is a warning if it needs a row with the same user
    at both ends, because only the application knows whether such rows exist.
    """
    for table_rules in policy.tables.values():
        for key in sorted(table_rules.table.foreign_key_constraints, key=column_names):
            parent = policy.tables.get(key.referred_table.fullname)
            # `efface.graph` checks the subject's own row, and SET NULL leaves nothing dangling.
            if parent is None or parent.subjects or (key.ondelete or "").upper() == "SET NULL":
                continue
            reference = _Reference(table_rules, key, parent)
            going = [
                rule
                for rule in parent.close_rules
                # Owned rows are deleted only if nothing references them.
                if isinstance(rule.action, (Delete, Revoke)) and not isinstance(rule.via, OwnedBy)
            ]
            if lost := [rule for rule in going if reference.is_lost(rule)]:
                yield reference.problem(lost)
            elif alone := [rule for rule in going if reference.is_lost_alone(rule)]:
                yield reference.warning(alone)


@dataclass(frozen=True)
class _Reference:
    """A foreign key from a table to another table, its parent."""

    table_rules: TableRules
    key: ForeignKeyConstraint
    parent: TableRules

    @property
    def names(self) -> tuple[str, ...]:
        return column_names(self.key)

    def is_lost(self, going: CloseRule) -> bool:
        """Return whether rows stay although the rule *going* deletes the rows they reference."""
        following = self._following(going)
        if following is None:
            return not self._lets_go(None) and self._stays_by_itself()
        if isinstance(following.action, (Delete, Revoke)):
            return False
        is_kept = isinstance(following.action, Retain)
        return is_kept or not self._lets_go(following.via)

    def is_lost_alone(self, going: CloseRule) -> bool:
        """Return whether rows stay only if the same user is at both ends of them."""
        following = self._following(going)
        return following is not None and any(
            self._outranks(rule, following) for rule in self.table_rules.close_rules
        )

    def _following(self, going: CloseRule) -> CloseRule | None:
        """Return the rule that finds rows through the parent rows which *going* deletes."""
        for rule in self.table_rules.close_rules:
            if referring_columns(rule.via) == self.names and going in self._onward(rule.via):
                return rule
        return None

    def _onward(self, via: Via) -> list[CloseRule]:
        """Return the parent's rules on which the path may continue: only one if *via* names it."""
        onward = onward_of(via)
        return [r for r in self.parent.close_rules if onward in ("", named(r.via))]

    def _stays_by_itself(self) -> bool:
        actions: list[object] = [rule.action for rule in self.table_rules.close_rules]
        actions += [rule.action for rule in self.table_rules.subjects]
        # A cascade deletes the rows, which is a problem only if they must be kept.
        cascades = (self.key.ondelete or "").upper() == "CASCADE"
        return any(isinstance(a, Retain if cascades else (Redact, Retain)) for a in actions)

    def _outranks(self, rule: CloseRule, following: CloseRule) -> bool:
        """Return whether *rule* keeps a row that *following* deletes together with its parent."""
        if referring_columns(rule.via) == self.names:
            # Through another rule of the parent: that rule keeps the parent, too.
            return isinstance(rule.action, Retain) and any(
                isinstance(onward.action, Redact) and self.parent.overwrites(onward.via)
                for onward in self._onward(rule.via)
            )
        if isinstance(rule.action, Retain):
            return True
        goes = isinstance(following.action, (Delete, Revoke))
        return (
            goes
            and isinstance(rule.action, Redact)
            and not self.table_rules.overwrites(rule.via)
            and not self._lets_go(rule.via, following.via)
        )

    def _lets_go(self, *vias: Via | None) -> bool:
        """Return whether the foreign key becomes NULL by a rule for one of *vias* (None: any)."""
        return any(
            isinstance(rule.action, (Unlink, Clear))
            and (vias == (None,) or rule.via is None or rule.via in vias)
            for name in self.names
            for rule in self.table_rules.columns.get(name, ())
        )

    def problem(self, going: list[CloseRule]) -> Problem:
        text = (
            f"These rows are kept, but {', '.join(self.names)} refers to {self.parent.name}, whose "
            f"rows are deleted. Keep those without their values, on {self.parent.name}:"
        )
        return Problem("E203", self.table_rules.name, None, text, _kept(going))

    def warning(self, going: list[CloseRule]) -> Problem:
        text = (
            "If a row belongs to one user by two relationships, one of them can keep it, while "
            f"the row of {self.parent.name} that {', '.join(self.names)} refers to is deleted. The "
            "database refuses that, and the account stays open. If you have such rows, keep those "
            f"that they refer to without their values, on {self.parent.name}:"
        )
        return Problem(
            "W103", self.table_rules.name, self.names[0], text, _kept(going), level="warning"
        )


def _kept(going: list[CloseRule]) -> str:
    return "\n".join(f"on_close(Redact(), via={shown(rule.via)})" for rule in going)
