"""Rows that stay although the rows they refer to go: the database would refuse the closing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint

from efface.errors import Problem
from efface.policy.actions import Clear, Delete, Owned, Redact, Retain, Revoke, Unlink
from efface.policy.check.decisions import is_cut, link_columns
from efface.policy.markers import LeavingMark, Via
from efface.policy.rules import Policy, TableRule


def lost_paths(policy: Policy) -> Iterator[Problem]:
    """Yield each reference of rows that stay to rows that go.

    A warning, where that is so only for one person at both ends of a row: whether there can be
    such a row, the application alone knows.
    """
    for rule in policy.tables.values():
        for key in sorted(rule.table.foreign_key_constraints, key=lambda k: tuple(k.column_keys)):
            parent = policy.tables.get(key.referred_table.fullname)
            if parent is None or parent.subjects or (key.ondelete or "").upper() == "SET NULL":
                continue
            reference = _Reference(rule, key, parent)
            going = [
                mark
                for mark in parent.leavings
                if isinstance(mark.action, (Delete, Revoke)) and not isinstance(mark.via, Owned)
            ]
            if lost := [mark for mark in going if reference.is_lost(mark)]:
                yield reference.problem(lost)
            elif alone := [mark for mark in going if reference.is_lost_alone(mark)]:
                yield reference.warning(alone)


@dataclass(frozen=True)
class _Reference:
    """A foreign key of a table's rows to those of another table, the parent."""

    rule: TableRule
    key: ForeignKeyConstraint
    parent: TableRule

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.key.column_keys)

    def is_lost(self, going: LeavingMark) -> bool:
        """Return whether rows stay although their parent's go by the link *going*."""
        following = self._following(going)
        if following is None:
            return not self._lets_go(None) and self._stays_by_itself()
        if isinstance(following.action, (Delete, Revoke)):
            return False
        is_kept = isinstance(following.action, Retain)
        return is_kept or not self._lets_go(following.via)

    def is_lost_alone(self, going: LeavingMark) -> bool:
        """Return whether that is so where one person is at two ends of a row."""
        following = self._following(going)
        return following is not None and any(
            self._outranks(mark, following) for mark in self.rule.leavings
        )

    def _following(self, going: LeavingMark) -> LeavingMark | None:
        """Return the link on which rows share the fate of a parent that goes by *going*."""
        for mark in self.rule.leavings:
            if link_columns(mark.via) == self.names and going in self._onward(mark.via):
                return mark
        return None

    def _onward(self, via: Via) -> list[LeavingMark]:
        """Return the links of the parent on which the path may go on; one where it names it."""
        named = via.split(".", 1)[1] if isinstance(via, str) and "." in via else None
        return [mark for mark in self.parent.leavings if named is None or mark.via == named]

    def _stays_by_itself(self) -> bool:
        actions: list[object] = [mark.action for mark in self.rule.leavings]
        actions += [mark.action for mark in self.rule.subjects]
        # What the database deletes along stays no more, but what has to be kept must stay.
        cascades = (self.key.ondelete or "").upper() == "CASCADE"
        return any(isinstance(a, Retain if cascades else (Redact, Retain)) for a in actions)

    def _outranks(self, mark: LeavingMark, following: LeavingMark) -> bool:
        """Return whether a row stays by *mark* where its parent, and it by *following*, goes."""
        if link_columns(mark.via) == self.names:
            # By another link of the parent: whatever keeps the row keeps its parent as well.
            return isinstance(mark.action, Retain) and any(
                isinstance(onward.action, Redact) and is_cut(self.parent, onward.via)
                for onward in self._onward(mark.via)
            )
        if isinstance(mark.action, Retain):
            return True
        goes = isinstance(following.action, (Delete, Revoke))
        return (
            goes
            and isinstance(mark.action, Redact)
            and not is_cut(self.rule, mark.via)
            and not self._lets_go(mark.via, following.via)
        )

    def _lets_go(self, *vias: Via | None) -> bool:
        """Return whether the reference becomes NULL, for one of these links or whatever link."""
        if self.rule.subjects and (self.key.initially or "").upper() != "DEFERRED":
            # The person's own row is written when the rows of the other tables have gone.
            return False
        return any(
            isinstance(mark.action, (Unlink, Clear))
            and (vias == (None,) or mark.via is None or mark.via in vias)
            for name in self.names
            for mark in self.rule.columns.get(name, ())
        )

    def problem(self, going: list[LeavingMark]) -> Problem:
        text = (
            f"Its rows stay, and {', '.join(self.names)} refers to {self.parent.name}, whose rows "
            f"go. Let those stay without their values, on {self.parent.name}:"
        )
        return Problem("E203", self.rule.name, None, text, _kept(going))

    def warning(self, going: list[LeavingMark]) -> Problem:
        text = (
            f"A row that is one person's by two links can stay by one of them, while the row of "
            f"{self.parent.name} goes that {', '.join(self.names)} refers to; the closing is then "
            f"rolled back. If there are such rows, let those stay without their values, on "
            f"{self.parent.name}:"
        )
        return Problem("W103", self.rule.name, self.names[0], text, _kept(going), level="warning")


def _kept(going: list[LeavingMark]) -> str:
    shown = (f'"{mark.via}"' if isinstance(mark.via, str) else repr(mark.via) for mark in going)
    return "\n".join(f"on_leaving(Redact(), via={via})" for via in shown)
