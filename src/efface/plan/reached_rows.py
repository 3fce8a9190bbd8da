"""Describe the rows that one relationship finds, their action, and how a plan shows it."""

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
"""The level of a primary key that is text: other tables reference it, so it does not change."""


@dataclass(frozen=True)
class ReachedRows:
    """The rows of a table that one relationship finds, and their action.

    Attributes:
        action: What happens to the rows.
        condition: The SQL condition that finds them.
        owner: The value in a row that identifies its subject.
        owner_column: The subject's column that *owner* equals.
        by_value: Whether there is no foreign key.
        is_overwritten: Whether redacting a row overwrites a column of the relationship itself.
        through: The relationship as a plan shows it.
        via: The relationship as the rule declares it.
        identifiers: Columns with former or secondary identifiers of the subject.
        references: The columns that reference the subject.
        text_keys: Those that repeat a primary key that is text, which may identify the subject.
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
        """Return name and type of the parameter with the *owner* values of all subjects."""
        name = f"{'matches' if self.by_value else 'subjects'}_{self.owner_column.name}"
        return parameter_for(name, self.owner, self.owner_column)

    def outranks(self, other: ReachedRows) -> bool:
        """Return whether this rule keeps a row that the rule of *other* would delete.

        If redacting overwrites this relationship and not *other*, it does not: the post-commit
        pass would find the row by *other* alone and delete it, so the closure deletes it.
        """
        return isinstance(self.action, Retain) or not self.is_overwritten or other.is_overwritten


@dataclass(frozen=True)
class StepSummary:
    """The part of a table's steps that is the same for every subject.

    ``removed``, ``retained`` and ``redacted`` are relationships by action. ``levels`` tells for
    each column with a rule what is true of its value afterwards; a foreign key that stays
    references the tombstone.
    """

    removed: tuple[str, ...]
    retained: tuple[str, ...]
    redacted: tuple[str, ...]
    columns: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, targets: Sequence[ReachedRows], columns: Sequence[PersonalColumn]) -> StepSummary:
        """Return the summary for a table."""
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
