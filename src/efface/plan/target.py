"""Rows that a link reaches and what is to happen to them; and how a plan shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from efface.plan.statements import Condition
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
from efface.policy.markers import Via
from efface.policy.rules import PersonalColumn

NAMES = "kept: names the person"
"""The level of a key that is text: other tables repeat it, so it is not changed."""


@dataclass(frozen=True)
class Target:
    """Rows of a table that one link reaches, and what is to happen to them.

    ``owner`` is the value by which a row names its subject, ``owner_column`` the subject's column
    that holds it. ``references`` are the columns that lead to the subject; those ``named`` repeat
    a key that is text, and so may name the person.
    """

    action: RowAction
    condition: Condition
    owner: ColumnElement[Any]
    owner_column: str
    through: str | None = None
    via: Via | None = None
    identifiers: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
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
    def of(cls, targets: Sequence[Target], columns: Sequence[PersonalColumn]) -> Shown:
        """Work it out once for a table."""
        references = {name: "pseudonymized" for t in targets for name in t.references}
        references |= {name: NAMES for t in targets for name in t.named}
        changed = {mark.name: _level(mark.action) for mark in columns}
        return cls(
            removed=_through(targets, Delete, Revoke),
            retained=_through(targets, Retain),
            redacted=_through(targets, Redact),
            columns=tuple(changed),
            levels=tuple(sorted({**references, **changed}.items())),
        )


def _through(targets: Sequence[Target], *kinds: type) -> tuple[str, ...]:
    return tuple(t.through for t in targets if t.through and isinstance(t.action, kinds))


def _level(action: ColumnAction) -> str:
    if isinstance(action, ReplaceMentions):
        return "redacted, not verified"
    if isinstance(action, Unlink):
        return "unlinked"
    return "generalized" if isinstance(action, Generalize) else "redacted"
