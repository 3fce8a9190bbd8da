"""Make a value for any column, by its type."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.types import TypeEngine

from efface.policy.column_types import unwrapped

MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
ADDRESS = "192.0.2.{}"
"""An IP address that RFC 5737 reserves for examples."""
# By name, so that no dialect has to be imported.
_BY_NAME: dict[str, Callable[[int, str], Any]] = {
    # Types whose values a driver accepts as text.
    "INET": lambda number, _: ADDRESS.format(number % 250 + 1),
    "CIDR": lambda number, _: ADDRESS.format(number % 250 + 1) + "/32",
    "MACADDR": lambda number, _: f"00:00:5e:00:53:{number % 256:02x}",
    "MACADDR8": lambda number, _: f"00:00:5e:00:53:00:00:{number % 256:02x}",
    "HSTORE": lambda _, text: {"text": text},
    "INTERVAL": lambda number, _: timedelta(seconds=number),
    "BIT": lambda number, _: str(number % 2),
    "MONEY": lambda number, _: str(number),
    "OID": lambda number, _: number,
    "TSVECTOR": lambda _, text: text,
    "XML": lambda _, text: f"<text>{text}</text>",
    "YEAR": lambda number, _: 2000 + number % 100,
}


class NoValueError(Exception):
    """The column's type is unknown."""


def value_for(column: Column[Any], number: int, text: str) -> Any:
    """Return a value for *column*: *text* if it stores text, else one made from *number*.

    Raises:
        NoValueError: the type is not known.
    """
    return _of_type(column.type, number, text)


def room_in(type_: TypeEngine[Any]) -> int | None:
    """Return how many characters fit: None for any number, 0 if the type stores no text."""
    type_ = unwrapped(type_)
    if isinstance(type_, ARRAY):
        return room_in(type_.item_type)
    if isinstance(type_, Enum):
        return 0
    if isinstance(type_, (String, LargeBinary)):
        return type_.length
    is_open = isinstance(type_, JSON) or type_.__visit_name__ in ("HSTORE", "XML", "TSVECTOR")
    return None if is_open else 0


def _of_type(given: TypeEngine[Any], number: int, text: str) -> Any:
    if isinstance(given, Interval):
        # Must be first: Interval is a decorator of DateTime on most databases.
        return timedelta(seconds=number)
    type_: Any = unwrapped(given)
    if isinstance(type_, ARRAY):
        found = [_of_type(type_.item_type, number, text)]
        for _ in range((type_.dimensions or 1) - 1):
            found = [found]
        return found
    if isinstance(type_, Enum):
        members = list(type_.enum_class or ()) or type_.enums
        return members[number % len(members)]
    kinds = (made for kind, made in _MADE.items() if isinstance(type_, kind))
    made = next(kinds, None)
    named = _BY_NAME.get(type_.__visit_name__)
    if named is not None:
        return named(number, text)
    return made(type_, number, text) if made else _of_python(given, number, text)


def _of_python(type_: TypeEngine[Any], number: int, text: str) -> Any:
    try:
        kind = type_.python_type
    except NotImplementedError:
        raise NoValueError from None
    if issubclass(kind, enum.Enum):
        return list(kind)[number % len(kind)]
    if issubclass(kind, str):
        return text
    if issubclass(kind, (int, float, Decimal)):
        return kind(number)
    raise NoValueError


def _number(type_: Numeric[Any], number: int, _: str) -> Any:
    digits = (type_.precision or 10) - (type_.scale or 0)
    whole = number % 10 ** min(max(digits, 0), 9)
    return Decimal(whole) if type_.asdecimal else float(whole)


def _moment(type_: DateTime, number: int, _: str) -> datetime:
    moment = MOMENT + timedelta(days=number % 300, seconds=number % 60)
    return moment if type_.timezone else moment.replace(tzinfo=None)


def _uuid(type_: Uuid[Any], number: int, text: str) -> Any:
    made = uuid.uuid5(uuid.NAMESPACE_OID, f"{text} {number}")
    return made if type_.as_uuid else str(made)


_MADE: dict[type, Callable[[Any, int, str], Any]] = {
    JSON: lambda _type, _number, text: {"text": text, "texts": [text]},
    Uuid: _uuid,
    Boolean: lambda _type, number, _: bool(number % 2),
    Integer: lambda _type, number, _: number,
    Numeric: _number,
    DateTime: _moment,
    Date: lambda _type, number, _: date(1970, 1, 1) + timedelta(days=number % 9000),
    Time: lambda _type, number, _: time(number % 24, 1, 2),
    LargeBinary: lambda _type, _number, text: text.encode(),
    String: lambda _type, _number, text: text,
}
