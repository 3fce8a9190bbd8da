"""Describe the two users that `populate` makes, and what to search for afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SyntheticUser:
    """A synthetic user.

    Attributes:
        key: The primary key; a tuple if it has several columns.
        identifiers: The user's identifiers, also in text that mentions them.
        markers: Words that are in one column each, by ``"table.column"``. A word that you find
            tells you which column it comes from.
    """

    key: Any
    identifiers: tuple[str, ...]
    markers: Mapping[str, str]

    @property
    def traces(self) -> tuple[str, ...]:
        """Return everything to search for: identifiers and the words of single columns."""
        return (*self.identifiers, *self.markers.values())


@dataclass(frozen=True)
class Populated:
    """A user whose account you close, and a bystander whose rows must not change."""

    user: SyntheticUser
    bystander: SyntheticUser
