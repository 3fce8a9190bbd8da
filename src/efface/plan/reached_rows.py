"""Rows that a link reaches and what is to happen to them; and how a plan shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement
from sqlalchemy.types import TypeEngine

from efface.plan.path_sql import Condition, parameter_for
from efface.policy.actions import (
    ColumnAction,
    Delete,
    Generalize,
    Redact,
    ReplaceMentions,
    Retain,
    Revoke,
    RowAction,
    Unlink,
)
from efface.policy.policy import PersonalColumn
from efface.policy.relationships import Via

KEPT_TEXT_KEY = "kept: names the person"
"""The level of a key that is text: other tables repeat it, so it is not changed."""


@dataclass(frozen=True)
class ReachedRows:
    """Rows of a table that one link reaches, and what is to happen to them.

    ``owner`` is the value by which a row names its subject, ``owner_column`` the subject's column
    that holds it, ``by_value`` without a foreign key. ``is_overwritten`` says that redacting a row writes
    over a column of the link itself. ``references`` are the columns that lead to the subject;
    those ``text_keys`` repeat a key that is text, and so may name the person.
    """

    action: RowAction
    condition: Condition
    owner: ColumnElement[Any]
    owner_column: Column[Any]
    by_value: bool = False
    is_overwritten: bool = False
    through: str | None = None
    via: Via | None = None
    identifiers: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text_keys: tuple[str, ...] = ()

    @property
    def batch_parameter(self) -> tuple[str, TypeEngine[Any]]:
        """Return the parameter with what all subjects are named by here, and its type."""
        name = f"{'matches' if self.by_value else 'subjects'}_{self.owner_column.name}"
        return parameter_for(name, self.owner, self.owner_column)

    def outranks(self, other: ReachedRows) -> bool:
        """Return whether a row that *other* takes away stays because of this one.

        Once this link is cut, the second pass would find the row by *other* alone, and take it
        away: so it goes at once, unless *other* is cut as well.
        """
        return isinstance(self.action, Retain) or not self.is_overwritten or other.is_overwritten


@dataclass(frozen=True)
class StepSummary:
    """What the steps of one table say, whoever leaves: links by action, columns, levels.

    ``levels`` names for each decided column what is true of it afterwards; a kept reference
    leads on to the tombstone.
    """

    removed: tuple[str, ...]
    retained: tuple[str, ...]
    redacted: tuple[str, ...]
    columns: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, targets: Sequence[ReachedRows], columns: Sequence[PersonalColumn]) -> StepSummary:
        """Work it out once for a table."""
        references = {name: "pseudonymized" for t in targets for name in t.references}
        references |= {name: KEPT_TEXT_KEY for t in targets for name in t.text_keys}
        changed = {rule.name: _level(rule.action) for rule in columns}
        return cls(
            removed=_through(targets, Delete, Revoke),
            retained=_through(targets, Retain),
            redacted=_through(targets, Redact),
            columns=tuple(changed),
            levels=tuple(sorted({**references, **changed}.items())),
        )


def _through(targets: Sequence[ReachedRows], *kinds: type) -> tuple[str, ...]:
    return tuple(t.through for t in targets if t.through and isinstance(t.action, kinds))


def _level(action: ColumnAction) -> str:
    if isinstance(action, ReplaceMentions):
        return "redacted, not verified"
    if isinstance(action, Unlink):
        return "unlinked"
    return "generalized" if isinstance(action, Generalize) else "redacted"
