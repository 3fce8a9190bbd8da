"""Rows that stay although the rows they refer to go: the database would refuse the closing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint

from efface.errors import Problem
from efface.policy.actions import Clear, Delete, Redact, Retain, Revoke, Unlink
from efface.policy.check.missing_rules import is_cut
from efface.policy.column_types import column_names
from efface.policy.declarations import CloseRule
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import OwnedBy, Via, link_columns


def lost_paths(policy: Policy) -> Iterator[Problem]:
    """Yield each reference of rows that stay to rows that go.

    A warning, where that is so only for one person at both ends of a row: whether there can be
    such a row, the application alone knows.
    """
    for table_rules in policy.tables.values():
        for key in sorted(table_rules.table.foreign_key_constraints, key=column_names):
            parent = policy.tables.get(key.referred_table.fullname)
            if parent is None or parent.subjects or (key.ondelete or "").upper() == "SET NULL":
                continue
            reference = _Reference(table_rules, key, parent)
            going = [
                rule
                for rule in parent.close_rules
                if isinstance(rule.action, (Delete, Revoke)) and not isinstance(rule.via, OwnedBy)
            ]
            if lost := [rule for rule in going if reference.is_lost(rule)]:
                yield reference.problem(lost)
            elif alone := [rule for rule in going if reference.is_lost_alone(rule)]:
                yield reference.warning(alone)


@dataclass(frozen=True)
class _Reference:
    """A foreign key of a table's rows to those of another table, the parent."""

    table_rules: TableRules
    key: ForeignKeyConstraint
    parent: TableRules

    @property
    def names(self) -> tuple[str, ...]:
        return column_names(self.key)

    def is_lost(self, going: CloseRule) -> bool:
        """Return whether rows stay although their parent's go by the link *going*."""
        following = self._following(going)
        if following is None:
            return not self._lets_go(None) and self._stays_by_itself()
        if isinstance(following.action, (Delete, Revoke)):
            return False
        is_kept = isinstance(following.action, Retain)
        return is_kept or not self._lets_go(following.via)

    def is_lost_alone(self, going: CloseRule) -> bool:
        """Return whether that is so where one person is at two ends of a row."""
        following = self._following(going)
        return following is not None and any(
            self._outranks(rule, following) for rule in self.table_rules.close_rules
        )

    def _following(self, going: CloseRule) -> CloseRule | None:
        """Return the link on which rows share the fate of a parent that goes by *going*."""
        for rule in self.table_rules.close_rules:
            if link_columns(rule.via) == self.names and going in self._onward(rule.via):
                return rule
        return None

    def _onward(self, via: Via) -> list[CloseRule]:
        """Return the links of the parent on which the path may go on; one where it names it."""
        named = via.split(".", 1)[1] if isinstance(via, str) and "." in via else None
        return [rule for rule in self.parent.close_rules if named is None or rule.via == named]

    def _stays_by_itself(self) -> bool:
        actions: list[object] = [rule.action for rule in self.table_rules.close_rules]
        actions += [rule.action for rule in self.table_rules.subjects]
        # What the database deletes along stays no more, but what has to be kept must stay.
        cascades = (self.key.ondelete or "").upper() == "CASCADE"
        return any(isinstance(a, Retain if cascades else (Redact, Retain)) for a in actions)

    def _outranks(self, rule: CloseRule, following: CloseRule) -> bool:
        """Return whether a row stays by *mark* where its parent, and it by *following*, goes."""
        if link_columns(rule.via) == self.names:
            # By another link of the parent: whatever keeps the row keeps its parent as well.
            return isinstance(rule.action, Retain) and any(
                isinstance(onward.action, Redact) and is_cut(self.parent, onward.via)
                for onward in self._onward(rule.via)
            )
        if isinstance(rule.action, Retain):
            return True
        goes = isinstance(following.action, (Delete, Revoke))
        return (
            goes
            and isinstance(rule.action, Redact)
            and not is_cut(self.table_rules, rule.via)
            and not self._lets_go(rule.via, following.via)
        )

    def _lets_go(self, *vias: Via | None) -> bool:
        """Return whether the reference becomes NULL, for one of these links or whatever link."""
        if self.table_rules.subjects and (self.key.initially or "").upper() != "DEFERRED":
            # The person's own row is written when the rows of the other tables have gone.
            return False
        return any(
            isinstance(rule.action, (Unlink, Clear))
            and (vias == (None,) or rule.via is None or rule.via in vias)
            for name in self.names
            for rule in self.table_rules.columns.get(name, ())
        )

    def problem(self, going: list[CloseRule]) -> Problem:
        text = (
            f"Its rows stay, and {', '.join(self.names)} refers to {self.parent.name}, whose rows "
            f"go. Let those stay without their values, on {self.parent.name}:"
        )
        return Problem("E203", self.table_rules.name, None, text, _kept(going))

    def warning(self, going: list[CloseRule]) -> Problem:
        text = (
            f"A row that is one person's by two links can stay by one of them, while the row of "
            f"{self.parent.name} goes that {', '.join(self.names)} refers to; the closing is then "
            f"rolled back. If there are such rows, let those stay without their values, on "
            f"{self.parent.name}:"
        )
        return Problem(
            "W103", self.table_rules.name, self.names[0], text, _kept(going), level="warning"
        )


def _kept(going: list[CloseRule]) -> str:
    shown = (f'"{rule.via}"' if isinstance(rule.via, str) else repr(rule.via) for rule in going)
    return "\n".join(f"on_close(Redact(), via={via})" for via in shown)
