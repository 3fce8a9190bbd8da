"""Row actions and column actions: frozen values that say what, and know no SQL.

Actions are imperatives because a policy is a list of orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

DIGITS = 32
"""Length of a placeholder's random part: 128 bits as hexadecimal digits."""
HEXADECIMAL = frozenset("0123456789abcdef")
FEWEST_DIGITS = 16
"""The shortest random part: at 64 bits ten million rows collide with a chance of 3 in a million."""


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
    reason: str
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
    """The value becomes unique, random and inert: prefix, random hexadecimal digits, suffix.

    The random part does not depend on the person, so nothing leads back. In a short column it has
    fewer digits, and then of the prefix only the last character; see `fitted`.
    """

    word: ClassVar[str] = "placeholder"

    prefix: str = "anonymized-"
    suffix: str = ""
    digits: int = DIGITS

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
        return len(self.prefix) + self.digits + len(self.suffix)

    def fitted(self, length: int | None) -> Placeholder | None:
        """Return this placeholder for a column of *length* characters, or None if none fits.

        First the random part is shortened, down to 64 bits; then the prefix, to its last
        character or, beside a suffix, to none. Bare digits never fit: nobody could tell a
        placeholder from a code or a checksum that the application wrote.
        """
        for made in self._distinct():
            room = DIGITS if length is None else length - (made.length - made.digits)
            if room >= FEWEST_DIGITS:
                return replace(made, digits=min(made.digits, room))
        return None

    @property
    def shortest(self) -> int | None:
        """Return how many characters a column needs, or None where no length is enough."""
        return min((m.length - m.digits + FEWEST_DIGITS for m in self._distinct()), default=None)

    def _distinct(self) -> tuple[Placeholder, ...]:
        forms = (replace(self, prefix=p) for p in (self.prefix, self.prefix[-1:], ""))
        return tuple(made for made in forms if not set(made.prefix + made.suffix) <= HEXADECIMAL)

    def value(self, token: str) -> str:
        """Return the placeholder that *token*, 32 random digits, makes."""
        return f"{self.prefix}{token[: self.digits]}{self.suffix}"

    def made(self, value: object) -> bool:
        """Return whether *value* has the form of this placeholder.

        For leaving values out of links and searches only; whether an account is closed is a
        state and never read from a value.
        """
        if not isinstance(value, str) or len(value) != self.length:
            return False
        token = value[len(self.prefix) : len(self.prefix) + self.digits]
        return value == self.value(token) and set(token) <= HEXADECIMAL


@dataclass(frozen=True, slots=True)
class ReplaceMentions:
    """The person's identifiers inside text or JSON go; everything else in it stays."""

    word: ClassVar[str] = "replace mentions"

    replacement: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """The reference becomes NULL: the row stays and leads to the person no more."""

    word: ClassVar[str] = "unlink"


@dataclass(frozen=True, slots=True)
class Generalize:
    """The value becomes a coarser one.

    ``to`` is ``"year"`` or ``"month"`` for dates and times (the first day of it), a prefix such as
    ``"/24"`` for IP addresses (an IPv6 address keeps twice as many bits), or a number: so many
    first characters, as of a postal code.
    """

    word: ClassVar[str] = "generalize"

    to: str | int

    def coarser(self, value: Any) -> Any:
        """Return *value* as coarse as ``to`` says; what cannot be read becomes an empty text."""
        if value is None or value == "":
            return value
        if isinstance(self.to, int):
            return str(value)[: self.to]
        if isinstance(value, (date, datetime)):
            start = value.replace(day=1) if self.to == "month" else value.replace(month=1, day=1)
            if isinstance(start, datetime):
                start = start.replace(hour=0, minute=0, second=0, microsecond=0)
            return start
        return _network(str(value), int(self.to.removeprefix("/")))


def _network(text: str, bits: int) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        # Whatever it is, it was personal.
        return ""
    kept = bits if address.version == IPV4 else 2 * bits
    return str(ip_network((address, kept), strict=False).network_address)


IPV4 = 4

ColumnAction = Clear | Replace | Placeholder | ReplaceMentions | Unlink | Generalize
