"""Check the type of a primary key before any statement uses it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table

from efface.errors import SubjectKeyError
from efface.policy.column_types import python_type


class SubjectKeys:
    """The types of the primary key columns of the users' table."""

    def __init__(self, table: Table) -> None:
        """Read the types from *table*."""
        self._table = table.fullname
        types = (python_type(column) for column in table.primary_key.columns)
        self._types = tuple("object" if type_ is None else type_.__name__ for type_ in types)

    def key_of(self, pk: Any) -> tuple[Any, ...]:
        """Return *pk* as a tuple with one value for each column.

        Types are compared by name, so that a UUID of a driver counts as a UUID.

        Raises:
            SubjectKeyError: the number of values or a type does not fit.
        """
        key = pk if isinstance(pk, tuple) else (pk,)
        fits = len(key) == len(self._types) and all(
            each in ("object", *[c.__name__ for c in type(part).__mro__])
            for each, part in zip(self._types, key, strict=True)
        )
        if not fits or any(isinstance(part, bool) for part in key):
            expected, got = ", ".join(self._types), ", ".join(type(part).__name__ for part in key)
            raise SubjectKeyError(
                self._table, f"of type {expected}", f"of type {got}" if got else "an empty tuple"
            )
        return key
