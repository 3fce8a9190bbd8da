"""Row actions and column actions: frozen values that say what, and know no SQL.

Actions are imperatives because a policy is a list of orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

TOKEN_CHARACTERS = 32
"""Length of a placeholder's random part: 128 bits as hexadecimal digits."""


class Basis(StrEnum):
    """Why a record may be kept (GDPR Art. 6(1) and 17(3)), in the law's order."""

    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal obligation"
    PUBLIC_INTEREST = "public interest"
    LEGITIMATE_INTEREST = "legitimate interest"
    LEGAL_CLAIMS = "legal claims"


@dataclass(frozen=True, slots=True)
class Delete:
    """The row goes, and with it every column."""

    word: ClassVar[str] = "delete"


@dataclass(frozen=True, slots=True)
class Redact:
    """The row stays; its personal values go, each by its column action."""

    word: ClassVar[str] = "redact"


@dataclass(frozen=True, slots=True)
class Revoke:
    """Credentials and sessions: the rows go before anything else."""

    word: ClassVar[str] = "revoke"


@dataclass(frozen=True, slots=True)
class Retain:
    """The row stays with its values until its term has run out.

    ``period`` is an ISO 8601 duration (``"P10Y"``), ``basis`` the legal ground, ``because`` the
    reason in words a person understands. ``start`` is ``"closing"``, ``"calendar-year-end"`` (of
    the year of closing) or the name of a date column of the row. ``then`` is what happens at the
    end of the term.
    """

    word: ClassVar[str] = "retain"

    period: str
    basis: Basis
    because: str
    start: str = "closing"
    then: Delete | Redact = field(default_factory=Delete)


RowAction = Delete | Redact | Retain | Revoke


@dataclass(frozen=True, slots=True)
class Clear:
    """The value becomes NULL."""

    word: ClassVar[str] = "clear"


@dataclass(frozen=True, slots=True)
class Replace:
    """The value becomes a fixed one."""

    word: ClassVar[str] = "replace"

    value: Any


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The value becomes unique, random and inert: prefix, 128 random bits, suffix.

    The random part does not depend on the person, so nothing leads back.
    """

    word: ClassVar[str] = "placeholder"

    prefix: str = "anonymized-"
    suffix: str = ""

    @classmethod
    def email(cls) -> Placeholder:
        """Return a placeholder that is a well-formed address nobody can ever own.

        ``.invalid`` is reserved by RFC 2606 and RFC 6761; the local part has 43 of the
        64 characters that RFC 5321 allows.
        """
        return cls(suffix="@users.invalid")

    @property
    def length(self) -> int:
        """Return the number of characters of every value of this placeholder."""
        return len(self.prefix) + TOKEN_CHARACTERS + len(self.suffix)

    def made(self, value: object) -> bool:
        """Return whether *value* has the form of this placeholder.

        For leaving values out of links and searches only; whether an account is closed is a
        state and never read from a value.
        """
        if not isinstance(value, str) or len(value) != self.length:
            return False
        return value.startswith(self.prefix) and value.endswith(self.suffix)


@dataclass(frozen=True, slots=True)
class ReplaceMentions:
    """The person's identifiers inside text or JSON go; everything else in it stays."""

    word: ClassVar[str] = "replace mentions"

    replacement: str


ColumnAction = Clear | Replace | Placeholder | ReplaceMentions


@dataclass(frozen=True, slots=True)
class Match:
    """A link by value: rows whose *column* equals a column of a decided table.

    ``equals`` is ``"table.column"``. The value must be unique among the people, or ``shared=True``
    says that a value several people share may take rows of all of them. NULL, blank and
    placeholder values match nothing.
    """

    column: str
    equals: str
    shared: bool = False

    def __str__(self) -> str:
        """Return the link as the plan shows it."""
        return f"{self.column} = {self.equals}"
