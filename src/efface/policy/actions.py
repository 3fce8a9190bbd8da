"""Say what happens to a row or a column when its user's account is closed.

Row actions go into `on_close` and `data_subject`, column actions into `personal`. An action is a
frozen value without SQL, so you can save and compare it. `efface.plan.action_sql` has the SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from ipaddress import ip_interface, ip_network
from typing import Any, ClassVar
from uuid import UUID

DIGITS = 32
"""Length of a placeholder's random part: 128 bits as hexadecimal digits."""
# Lower case, as both databases write it: an upper-case value is not one of our placeholders.
HEXADECIMAL = frozenset("0123456789abcdef")
FEWEST_DIGITS = 16
"""The shortest random part: 64 bits, 3 collisions in a million tables of ten million rows."""


class Basis(StrEnum):
    """Name the legal ground for keeping a record, from GDPR Art. 6(1) and 17(3)."""

    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal obligation"
    PUBLIC_INTEREST = "public interest"
    LEGITIMATE_INTEREST = "legitimate interest"
    LEGAL_CLAIMS = "legal claims"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the row.

    SQL: ``DELETE FROM table WHERE …``, deepest tables first. Columns need no rule.
    """

    word: ClassVar[str] = "delete"


@dataclass(frozen=True, slots=True)
class Redact:
    """Keep the row and replace its personal values.

    Each column needs a rule: `personal` with a column action, or `not_personal`. Foreign keys and
    numeric or UUID primary keys need none and don't change.

    SQL: at most one ``UPDATE table SET … WHERE …`` for all columns and rows of a table, and one
    more by primary key for text that mentions the user. It changes only rows that still have an
    old value.
    """

    word: ClassVar[str] = "redact"


@dataclass(frozen=True, slots=True)
class Revoke:
    """Delete logins and other access, before anything else is changed.

    Use it for sessions, tokens and API keys: from this statement on, they give no access.

    SQL: ``DELETE FROM table WHERE …``. Columns need no rule.
    """

    word: ClassVar[str] = "revoke"


@dataclass(frozen=True, slots=True)
class Retain:
    """Keep the row and its values because a law or a contract requires it.

    Efface counts the rows and reports until when they have to be kept. It doesn't delete them when
    the period is over. No SQL changes the rows.

    Args:
        period: How long the rows are kept, as an ISO 8601 duration such as ``"P10Y"``.
        basis: The legal ground.
        reason: Why, in words that the user understands, such as ``"tax law"``.
        start: When the period begins: ``"closing"``, ``"calendar-year-end"`` (of the year in which
            the account is closed) or the name of a date column of the table. With several rows,
            the latest date counts.
        then: What is to happen to the rows after the period. With `Redact`, each column needs a
            rule.
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
    """Set the value to NULL.

    The column must be nullable. If you can't change that, use `Replace`.

    SQL: ``column = NULL``. A value that is NULL stays NULL.
    """

    word: ClassVar[str] = "clear"


@dataclass(frozen=True, slots=True)
class Replace:
    """Set the value to a fixed one, the same for every user.

    The value must fit the column's type and length, and the column must not be unique.

    SQL: ``column = :value``. NULL becomes the value, too.

    Args:
        value: The new value, of the column's Python type.
    """

    word: ClassVar[str] = "replace"

    value: Any


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Set the value to a unique one: a prefix, random hexadecimal digits and a suffix.

    Use it for text columns that are unique or not nullable. A UUID column gets a random UUID that
    begins with ``effaced0``. The digits don't depend on the user,
    so they cannot be traced back. A short column gets fewer digits, at least 16, and a shorter
    prefix.

    SQL: ``column = 'anonymized-' || …`` with ``gen_random_uuid()`` on PostgreSQL and
    ``randomblob(16)`` on SQLite, another value for each row. NULL becomes a placeholder, too.

    Args:
        prefix: What the value begins with.
        suffix: What the value ends with.
        digits: The number of random digits, at most 32.
    """

    word: ClassVar[str] = "placeholder"

    prefix: str = "anonymized-"
    suffix: str = ""
    digits: int = DIGITS

    @classmethod
    def email(cls) -> Placeholder:
        """Return a placeholder that is a well-formed email address and receives no email.

        RFC 2606 and RFC 6761 reserve the domain ``.invalid``. The local part has 43 of the 64
        characters that RFC 5321 allows.
        """
        return cls(suffix="@users.invalid")

    @property
    def length(self) -> int:
        """Return how many characters each value of this placeholder has."""
        return len(self.prefix) + self.digits + len(self.suffix)

    def fitted(self, length: int | None) -> Placeholder | None:
        """Return this placeholder for a column of *length* characters, or None if none fits.

        It first gets fewer random digits, down to 16. Then its prefix is cut to the last character
        or, if there is a suffix, to nothing. Digits alone don't count as a placeholder, because
        the application may store codes or checksums that look the same.
        """
        for shorter in self._distinct():
            room = DIGITS if length is None else length - (shorter.length - shorter.digits)
            if room >= FEWEST_DIGITS:
                return replace(shorter, digits=min(shorter.digits, room))
        return None

    @property
    def shortest(self) -> int | None:
        """Return how many characters a column needs, or None if no length is enough."""
        return min((m.length - m.digits + FEWEST_DIGITS for m in self._distinct()), default=None)

    def _distinct(self) -> tuple[Placeholder, ...]:
        # From the longest form to the shortest: a whole prefix tells readers what the value is.
        forms = (replace(self, prefix=p) for p in (self.prefix, self.prefix[-1:], ""))
        return tuple(form for form in forms if not set(form.prefix + form.suffix) <= HEXADECIMAL)

    def value(self, token: str) -> str:
        """Return the value with the random digits of *token*, which has 32."""
        return f"{self.prefix}{token[: self.digits]}{self.suffix}"

    def matches(self, value: object) -> bool:
        """Return whether *value* has the form of this placeholder.

        It only decides which values to leave out of a search or a match by value. Whether an
        account is closed is read from its ``deleted_at`` column, not from a value.
        """
        if isinstance(value, UUID):
            value = value.hex
        if not isinstance(value, str) or len(value) != self.length:
            return False
        token = value[len(self.prefix) : len(self.prefix) + self.digits]
        return value == self.value(token) and set(token) <= HEXADECIMAL


UUID_PLACEHOLDER = Placeholder(prefix="effaced0", digits=24)
"""What a placeholder is in a UUID column: the 32 digits of a UUID, of which 24 are random."""


@dataclass(frozen=True, slots=True)
class ReplaceMentions:
    """Replace the user's identifiers inside text or JSON, and keep the rest of it.

    Identifiers are the values of the columns that ``identifiers`` names in `data_subject` and
    `on_close`. They match as whole words, in any case, from four characters. Efface can't find
    nicknames or misspellings, so a plan says *not verified*.

    SQL: one ``SELECT`` of the rows that may match, and one ``UPDATE`` by primary key. Text columns
    and JSON columns are accepted. NULL stays NULL.

    Args:
        replacement: The text to insert, such as ``"a former member"``.
    """

    word: ClassVar[str] = "replace mentions"

    replacement: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """Set a foreign key to NULL, so that the row no longer references the user.

    The column must be nullable and not part of a primary key.

    SQL: ``column = NULL``. A value that is NULL stays NULL.
    """

    word: ClassVar[str] = "unlink"


@dataclass(frozen=True, slots=True)
class Generalize:
    """Make the value less precise, such as a birthday to its year.

    SQL: one ``SELECT``, and one ``UPDATE`` by primary key. NULL and empty text don't change.

    Args:
        to: ``"year"`` or ``"month"`` for a date column: the first day of it. A number of first
            characters for a text column, such as a postal code. A prefix length such as ``"/24"``
            for IP addresses: IPv6 addresses keep twice as many bits, and other text becomes empty.
    """

    word: ClassVar[str] = "generalize"

    to: str | int

    def coarser(self, value: Any) -> Any:
        """Return the less precise value; text that is no IP address becomes an empty string."""
        if value is None or value == "":
            return value
        if isinstance(self.to, int):
            return str(value)[: self.to]
        if isinstance(value, (date, datetime)):
            # The first day of the period, because the column still stores whole dates.
            start = value.replace(day=1) if self.to == "month" else value.replace(month=1, day=1)
            if isinstance(start, datetime):
                start = start.replace(hour=0, minute=0, second=0, microsecond=0)
            return start
        coarser = _network(str(value), int(self.to.removeprefix("/")))
        # Drivers have types of their own for addresses. One that is coarse already stays as it is.
        return value if coarser == str(value).removesuffix("/32").removesuffix("/128") else coarser


def _network(text: str, bits: int) -> str:
    try:
        # A database may add the mask of the network: 192.0.2.7/24.
        address = ip_interface(text.strip()).ip
    except ValueError:
        # The column has personal data, so keeping the unknown text is no option.
        return ""
    # A site usually has a /48 in IPv6 and a /24 in IPv4, so twice the bits tell about as much.
    kept = bits if address.version == IPV4 else 2 * bits
    return str(ip_network((address, kept), strict=False).network_address)


IPV4 = 4

ColumnAction = Clear | Replace | Placeholder | ReplaceMentions | Unlink | Generalize
