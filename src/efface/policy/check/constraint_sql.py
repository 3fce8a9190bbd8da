"""Evaluate the SQL of constraints with the values that actions write, in SQLite.

An SQLite database in memory computes CHECKs, and the conditions and expressions of unique keys,
whatever database they are for. What it doesn't understand stays unknown.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum as PythonEnum
from itertools import islice, product
from typing import Any, Self

from sqlalchemy import Boolean, CheckConstraint, Column, Date, DateTime, Enum, Table, make_url
from sqlalchemy.exc import SQLAlchemyError

from efface.policy.actions import (
    UUID_PLACEHOLDER,
    Clear,
    ColumnAction,
    Placeholder,
    Replace,
    Unlink,
)
from efface.policy.column_types import is_text, is_uuid, room, unwrapped

DIGITS = ("0123456789abcdef" * 2, "fedcba9876543210" * 2)
"""Two random parts that a placeholder may have."""
MOMENT = datetime(2026, 1, 1).isoformat(" ")  # noqa: DTZ001  # any moment, as text
"""What ``deleted_at`` can hold after a closure."""
INSTRUCTION_LIMIT = 100_000
"""The most SQLite instructions for one constraint, so that none blocks the check."""
COMBINATION_LIMIT = 500
"""The most combinations of unknown values to try for one constraint."""
UNKNOWN = object()
"""What an expression is that SQLite doesn't understand."""
_LITERAL = re.compile(r"('(?:[^']|'')*')")
_NUMBER = re.compile(r"(?<![\w'.])-?\d+(?:\.\d+)?(?![\w'])")
# PostgreSQL adds casts to the constraints that it stores: status = 'open'::character varying.
_CAST = re.compile(r"::\s*[a-z_]+(?:\s+(?:varying|precision))?(?:\(\d+\))?(?:\[\])?", re.IGNORECASE)
# PostgreSQL stores status IN ('a', 'b') as status = ANY (ARRAY['a', 'b']).
_ANY = re.compile(r"=\s*ANY\s*\((\(?)ARRAY\[([^\]]*)\](\)?)\)", re.IGNORECASE)
_WORD = re.compile(r"\w+")


class ConstraintEvaluator:
    """Evaluate constraints in an empty database in memory, which the end of the block closes."""

    def __enter__(self) -> Self:
        """Open the database and add functions that other databases have."""
        self._database = sqlite3.connect(":memory:")
        for name in ("char_length", "character_length"):
            self._database.create_function(name, 1, _length, deterministic=True)
        self._database.create_function("btrim", 1, _trimmed, deterministic=True)
        self._database.create_function("num_nonnulls", -1, _given, deterministic=True)
        self._database.create_function("num_nulls", -1, _missing, deterministic=True)
        self._database.set_progress_handler(lambda: 1, INSTRUCTION_LIMIT)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self._database.close()

    def value(self, text: str, values: Mapping[str, Any]) -> Any:
        """Return what the expression *text* is with these *values*, or UNKNOWN."""
        # Column names may be reserved words or contain quotes.
        quoted = (f'? AS "{name.replace(chr(34), chr(34) * 2)}"' for name in values)
        source = f" FROM (SELECT {', '.join(quoted)})" if values else ""
        # The text is the application's own constraint and the values are ours, not a visitor's.
        query = f"SELECT ({text}){source}"
        try:
            return self._database.execute(query, tuple(values.values())).fetchone()[0]
        except sqlite3.Error:
            return UNKNOWN

    def passes(self, text: str, values: Mapping[str, Any]) -> bool:
        """Return whether *values* fulfill the constraint *text*, or SQLite cannot tell."""
        found = self.value(text, values)
        # NULL fulfills a CHECK.
        return found is UNKNOWN or found is None or bool(found)


def columns_in(text: str, table: Table) -> list[Column[Any]]:
    """Return the columns of *table* whose names are in the constraint *text*."""
    words = {w.casefold() for part in _LITERAL.split(text)[::2] for w in _WORD.findall(part)}
    return [column for column in table.columns if column.name.casefold() in words]


def _length(value: Any) -> int | None:
    return None if value is None else len(str(value))


def _given(*values: Any) -> int:
    return sum(value is not None for value in values)


def _missing(*values: Any) -> int:
    return sum(value is None for value in values)


def _trimmed(value: Any) -> str | None:
    return None if value is None else str(value).strip(" ")


def sqlite_text(constraint: CheckConstraint) -> str | None:
    """Return the constraint as SQL for SQLite, without PostgreSQL's casts, or None."""
    if getattr(constraint, "_type_bound", False):
        # SQLAlchemy adds these for Enum and Boolean; `impossible_actions` checks the type.
        return None
    with suppress(SQLAlchemyError, NotImplementedError):
        options = {"literal_binds": True, "include_table": False}
        text = str(constraint.sqltext.compile(dialect=_dialect(), compile_kwargs=options))
        return without_casts(text)
    return None


def without_casts(text: str) -> str:
    """Return *text* without what only PostgreSQL understands: casts and arrays."""
    parts = _LITERAL.split(text)
    parts[::2] = [_CAST.sub("", part) for part in parts[::2]]
    return _ANY.sub(r"IN (\2)", "".join(parts))


def _dialect() -> Any:
    # By URL, so that importing this module does not import the dialect.
    return make_url("sqlite://").get_dialect()()


def values_after(column: Column[Any], action: ColumnAction) -> list[Any]:
    """Return values that *action* can write into *column*, or none if they are unknown.

    Those of a placeholder are two, because each row has another.
    """
    if isinstance(action, Placeholder):
        made = UUID_PLACEHOLDER if is_uuid(column) else action.fitted(room(column))
        return [made.value(digits) for digits in DIGITS] if made else []
    if isinstance(action, Replace):
        return [sqlite_value(action.value, column)]
    return [None] if isinstance(action, (Clear, Unlink)) else []


def sqlite_value(value: Any, column: Column[Any] | None = None) -> Any:
    """Return *value* in the form that SQLite stores, as the type of *column* writes it."""
    if column is not None and isinstance(unwrapped(column.type), Enum):
        # An enumeration stores names, or what its ``values_callable`` returns.
        with suppress(LookupError, SQLAlchemyError):
            write = column.type.dialect_impl(_dialect()).bind_processor(_dialect())
            return write(value) if write is not None else value
    if isinstance(value, PythonEnum):
        return value.value if isinstance(value, (str, int)) else value.name
    if value is None or isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        # SQLite compares a text as greater than every number.
        return float(value)
    if isinstance(value, (date, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return value if isinstance(value, (str, bytes, int, float)) else str(value)


def candidates(column: Column[Any], text: str) -> list[Any]:
    """Return values that *column* may have, as far as they matter to the constraint *text*."""
    type_, found = unwrapped(column.type), list[Any]()
    if isinstance(type_, Boolean):
        found += [0, 1]
    elif isinstance(type_, (Date, DateTime)):
        found += ["1990-01-01 00:00:00", MOMENT, "2090-01-01 00:00:00"]
    elif isinstance(type_, Enum):
        found += type_.enums
    else:
        pieces = _LITERAL.split(text)
        literals = [each[1:-1].replace("''", "'") for each in pieces[1::2]]
        numbers = [float(each) for part in pieces[::2] for each in _NUMBER.findall(part)]
        found += [*literals, "x", ""] if is_text(column) else []
        found += [n + more for n in [*numbers, 1.0] for more in (0, 1, -1)]
    return [*dict.fromkeys(found), *([None] if column.nullable else [])]


def combinations(known: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the combinations of these values of columns, up to a limit."""
    for each in islice(product(*known.values()), COMBINATION_LIMIT):
        yield dict(zip(known, each, strict=True))
