"""Make the identifiers of a synthetic user, and words that are in one column each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Column

from efface.plan.mentions import SHORTEST
from efface.policy.actions import Generalize, ReplaceMentions
from efface.policy.policy import PersonalColumn
from efface.testing.synthetic_values import room_in

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class SyntheticNames:
    """The identifiers of one synthetic user, and the words of single columns.

    *token* makes them unique, and ``letter`` differs between two users with the same token.
    """

    def __init__(self, letter: str, token: str) -> None:
        """Start without identifiers."""
        self._letter, self._token = letter, token
        self._counters: Counter[int | None] = Counter()
        self.identifiers: dict[str, str] = {}
        self.markers: dict[str, str] = {}

    def name(self, column: Column[Any]) -> str:
        """Return the user's identifier for *column*: an email address if it fits."""
        place = _place(column)
        if place not in self.identifiers:
            room = room_in(column.type)
            word = f"{self._letter}{self._token}{len(self.identifiers)}"
            address = f"{word}@{column.name.replace('_', '-')}.example.org"
            is_address = "mail" in column.name or "address" in column.name or "sent" in column.name
            fits = room is None or len(address) <= room
            made = address if is_address and fits else self._fitted(word, room)
            # A shorter one would match unrelated words, so it is no identifier to search for.
            if len(made) >= SHORTEST:
                self.identifiers[place] = made
            return made
        return self.identifiers[place]

    def personal_text(self, column: Column[Any], rule: PersonalColumn | None) -> str:
        """Return personal text for *column*: a word for it, and as many identifiers as fit."""
        room = room_in(column.type)
        edited = rule is not None and isinstance(rule.action, ReplaceMentions)
        if room == 0:
            return ""
        parts = [] if edited else [self._marker(column, rule)]
        for name in self.identifiers.values():
            if room is None or len(" ".join([*parts, name])) <= room:
                parts.append(name)
        return " ".join(parts) or self.neutral_text(column)

    def neutral_text(self, column: Column[Any]) -> str:
        """Return text for *column* that mentions no one."""
        return self._fitted("", room_in(column.type))

    def _marker(self, column: Column[Any], rule: PersonalColumn | None) -> str:
        place, room = _place(column), room_in(column.type)
        if place not in self.markers:
            made = self._fitted(f"{self._letter}{self._token}m{len(self.markers)}", room)
            # A generalized value keeps the first characters, perhaps the whole marker.
            begins = rule is not None and isinstance(rule.action, Generalize)
            if len(made) < SHORTEST or begins:
                return made
            self.markers[place] = made
        return self.markers[place]

    def _fitted(self, word: str, room: int | None) -> str:
        """Return *word* if it fits, else the next unused short word."""
        if word and (room is None or len(word) <= room):
            return word
        length = min(room or 8, 8)
        self._counters[length] += 1
        number, digits = self._counters[length], ""
        while number:
            number, rest = divmod(number, len(_DIGITS))
            digits = _DIGITS[rest] + digits
        return (self._letter + digits.rjust(length - 1, "0"))[:length]


def _place(column: Column[Any]) -> str:
    return f"{column.table.fullname}.{column.name}"
