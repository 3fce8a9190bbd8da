"""Keys as they are typed, converted to what the primary key's columns hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from efface.errors import SubjectKeyError
from efface.policy.column_types import python_type
from efface.policy.policy import Policy

FROM_TEXT: Mapping[type, Callable[[str], Any]] = {
    int: int,
    UUID: UUID,
    Decimal: Decimal,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    bytes: bytes.fromhex,
}


def subject_key(policy: Policy, typed: Sequence[str]) -> Any:
    """Return the key of the subject whose parts were *typed*.

    Raises:
        SubjectKeyError: there are more or fewer parts than columns, or one is of another type.
    """
    table = policy.subject_table
    columns = list(table.primary_key.columns)
    kinds = [python_type(column) or str for column in columns]
    expected = ", ".join(kind.__name__ for kind in kinds)
    if len(typed) != len(columns):
        raise SubjectKeyError(table.fullname, expected, f"{len(typed)} parts")
    try:
        parts = [FROM_TEXT.get(kind, str)(part) for kind, part in zip(kinds, typed, strict=True)]
    except (ArithmeticError, ValueError):
        raise SubjectKeyError(table.fullname, expected, "something else") from None
    return parts[0] if len(parts) == 1 else tuple(parts)
