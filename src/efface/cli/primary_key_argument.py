"""Convert a primary key from the command line to the types of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from efface.errors import SubjectKeyError
from efface.policy.column_types import python_type
from efface.policy.policy import Policy

PARSERS: Mapping[type, Callable[[str], Any]] = {
    int: int,
    UUID: UUID,
    Decimal: Decimal,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    bytes: bytes.fromhex,
}


def parse_primary_key(policy: Policy, arguments: Sequence[str]) -> Any:
    """Return the user's primary key from *arguments*, one for each column.

    Raises:
        SubjectKeyError: the number of parts is wrong, or a part has another type.
    """
    table = policy.subject_table
    columns = list(table.primary_key.columns)
    types = [python_type(column) or str for column in columns]
    expected = f"of type {', '.join(kind.__name__ for kind in types)}"
    if len(arguments) != len(columns):
        number = "1 part" if len(arguments) == 1 else f"{len(arguments)} parts"
        raise SubjectKeyError(table.fullname, expected, f"in {number}")
    try:
        parts = [PARSERS.get(kind, str)(part) for kind, part in zip(types, arguments, strict=True)]
    except (ArithmeticError, ValueError):
        # Decimal raises an ArithmeticError for text that is not a number.
        raise SubjectKeyError(table.fullname, expected, "of another type") from None
    return parts[0] if len(parts) == 1 else tuple(parts)
