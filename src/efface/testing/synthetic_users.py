"""The two people that `populate` makes, and what one can look for afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SyntheticUser:
    """A synthetic person.

    ``identifiers`` are what the person is called, in the columns the policy names and in text
    that mentions them. ``markers`` are words that stand in one column each, by ``table.column``:
    where one is found, one knows where it came from.
    """

    key: Any
    identifiers: tuple[str, ...]
    markers: Mapping[str, str]

    @property
    def traces(self) -> tuple[str, ...]:
        """Return everything of the person that can be looked for."""
        return (*self.identifiers, *self.markers.values())


@dataclass(frozen=True)
class Populated:
    """A user whose account is closed, and a bystander who must not notice."""

    user: SyntheticUser
    bystander: SyntheticUser
