"""What one call of an eraser is given: who asks, when, and where its random values come from."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from efface.eraser.blockers import BlockerCheck
from efface.errors import ActorLengthError

ACTOR_LENGTH = 200
"""The most characters of who asked for a closure, and of why blockers were overridden."""
Key = tuple[Any, ...]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def new_reference() -> str:
    """Return a random reference for a receipt: 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, repr=False)
class RowsClosedAt:
    """The users' rows with the same ``deleted_at``."""

    keys: Mapping[str, Key]
    """Their primary keys, by fingerprint."""
    unrecognized: int
    """How many of them have no recorded closing under the eraser's secret."""


@dataclass(frozen=True)
class CallContext:
    """The actor and the time of one call, and the sources of fingerprints and references."""

    actor: str
    now: datetime
    fingerprint: Callable[[Key], str]
    reference: Callable[[], str]
    blockers: BlockerCheck | None = field(default=None, repr=False)
    rows_closed_at: dict[datetime, RowsClosedAt] = field(default_factory=dict, repr=False)
    """A cache, because many pending closings may have the same moment."""

    @property
    def recorded(self) -> tuple[str, ...]:
        """Return the texts of the caller that a receipt records."""
        override = self.blockers.override if self.blockers else None
        return (self.actor,) if override is None else (self.actor, override)


def require_recordable(name: str, text: object) -> None:
    """Make sure that *text*, the argument *name*, can be recorded and printed on one line.

    Raises:
        ActorLengthError: it is no text, empty, too long, or has control characters.
    """
    is_text = isinstance(text, str) and 0 < len(text) <= ACTOR_LENGTH and text.isprintable()
    if not is_text:
        raise ActorLengthError(ACTOR_LENGTH, name)
