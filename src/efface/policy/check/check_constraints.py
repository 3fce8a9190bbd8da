"""Find CHECK constraints that refuse the value an action writes.

An SQLite database in memory evaluates the constraint with the new values, and only certain
refusals are reported. It skips a constraint that SQLite does not understand, or that reads a
column whose new value is unknown before the closure.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import product
from typing import Any, Self

from sqlalchemy import CheckConstraint, Column, Table, make_url
from sqlalchemy.exc import SQLAlchemyError

from efface.errors import Problem
from efface.policy.actions import Clear, ColumnAction, Placeholder, Replace, Unlink
from efface.policy.column_types import is_json, room
from efface.policy.policy import TableRules
from efface.policy.relationships import Via

DIGITS = ("0123456789abcdef" * 2, "fedcba9876543210" * 2)
"""Two random parts that a placeholder may have."""
INSTRUCTION_LIMIT = 100_000
"""The most SQLite instructions for one constraint, so that none blocks the check."""
_LITERAL = re.compile(r"('(?:[^']|'')*')")
# PostgreSQL adds casts to the constraints that it stores: status = 'open'::character varying.
_CAST = re.compile(r"::\s*[a-z_]+(?:\s+(?:varying|precision))?(?:\(\d+\))?(?:\[\])?", re.IGNORECASE)
# PostgreSQL stores status IN ('a', 'b') as status = ANY (ARRAY['a', 'b']).
_ANY = re.compile(r"=\s*ANY\s*\((\(?)ARRAY\[([^\]]*)\](\)?)\)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_JSON_NULL = re.compile(r"=\s*'null'|'null'\s*=")


class ConstraintEvaluator:
    """Evaluate constraints in an empty database in memory, which the end of the block closes."""

    def __enter__(self) -> Self:
        """Open the database and add functions that other databases have."""
        self._database = sqlite3.connect(":memory:")
        for name in ("char_length", "character_length"):
            self._database.create_function(name, 1, _length, deterministic=True)
        self._database.create_function("btrim", 1, _trimmed, deterministic=True)
        self._database.set_progress_handler(lambda: 1, INSTRUCTION_LIMIT)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self._database.close()

    def problems(self, table_rules: TableRules) -> Iterator[Problem]:
        """Yield each column whose new value a CHECK constraint refuses for certain."""
        for constraint in table_rules.table.constraints:
            if isinstance(constraint, CheckConstraint) and table_rules.keeps_rows:
                text = sqlite_text(constraint)
                if text is not None:
                    yield from self._problems(table_rules, text)

    def _problems(self, table_rules: TableRules, text: str) -> Iterator[Problem]:
        # A constraint of several columns counts only if the new values of all of them are known.
        named = columns_in(text, table_rules.table)
        written = {
            c.name: found for c in named if (found := _column_action(table_rules, c)) is not None
        }
        for column in named:
            action = written.get(column.name, (None, None))[0]
            if isinstance(action, Clear) and is_json(column) and _JSON_NULL.search(text):
                yield Problem(
                    "E103", table_rules.name, column.name,
                    f"A CHECK constraint requires JSON null in {column.name}, but Clear writes SQL "
                    "NULL. Use:",
                    "personal(Replace(None))    # JSON null",
                )  # fmt: skip
                return
        known = {c.name: values for c in named if (values := _samples(table_rules, c, written))}
        if not written or len(known) < len(named) or len({via for _, via in written.values()}) > 1:
            return
        if not any(self.passes(text, dict(each)) for each in _combinations(known)):
            name = next(iter(written))
            yield Problem(
                "E103", table_rules.name, name,
                f"A CHECK constraint refuses the new value of {', '.join(written)}: {text}. "
                "Choose a value that it accepts, or change the constraint.",
            )  # fmt: skip

    def passes(self, text: str, values: Mapping[str, Any]) -> bool:
        """Return whether *values* fulfill the constraint *text*, or SQLite cannot tell."""
        # Column names may be reserved words or contain quotes.
        quoted = (f'? AS "{name.replace(chr(34), chr(34) * 2)}"' for name in values)
        # The text is the application's own constraint and the values are ours, not a visitor's.
        query = f"SELECT ({text}) FROM (SELECT {', '.join(quoted)})"  # noqa: S608
        try:
            found = self._database.execute(query, tuple(values.values())).fetchone()[0]
        except sqlite3.Error:
            return True
        # NULL fulfills a CHECK.
        return found is None or bool(found)


def columns_in(text: str, table: Table) -> list[Column[Any]]:
    """Return the columns of *table* whose names are in the constraint *text*."""
    words = {w.casefold() for part in _LITERAL.split(text)[::2] for w in _WORD.findall(part)}
    return [column for column in table.columns if column.name.casefold() in words]


def _length(value: Any) -> int | None:
    return None if value is None else len(str(value))


def _trimmed(value: Any) -> str | None:
    return None if value is None else str(value).strip(" ")


def sqlite_text(constraint: CheckConstraint) -> str | None:
    """Return the constraint as SQL for SQLite, without PostgreSQL's casts, or None."""
    if getattr(constraint, "_type_bound", False):
        # SQLAlchemy adds these for Enum and Boolean; `impossible_actions` checks the type.
        return None
    with suppress(SQLAlchemyError, NotImplementedError):
        options = {"literal_binds": True, "include_table": False}
        # By URL, so that importing this module does not import the dialect.
        dialect = make_url("sqlite://").get_dialect()()
        text = str(constraint.sqltext.compile(dialect=dialect, compile_kwargs=options))
        parts = _LITERAL.split(text)
        parts[::2] = [_CAST.sub("", part) for part in parts[::2]]
        return _ANY.sub(r"IN (\2)", "".join(parts))
    return None


def _column_action(
    table_rules: TableRules, column: Column[Any]
) -> tuple[ColumnAction, Via | None] | None:
    found = [(m.action, m.via) for m in table_rules.columns[column.name] if m.action is not None]
    # With a rule for each relationship, the new value depends on the row.
    return found[0] if len(found) == 1 else None


def _samples(table_rules: TableRules, column: Column[Any], written: Mapping[str, Any]) -> list[Any]:
    """Return values that *column* may have afterwards, or none if they are unknown."""
    if column.name in written:
        return _values(column, written[column.name][0])
    if table_rules.subjects and column.name == table_rules.subjects[0].deleted_at:
        return [datetime(2026, 1, 1).isoformat(" ")]  # noqa: DTZ001  # any moment, as text
    return []


def _values(column: Column[Any], action: ColumnAction) -> list[Any]:
    if isinstance(action, Placeholder):
        made = action.fitted(room(column))
        return [made.value(digits) for digits in DIGITS] if made else []
    if isinstance(action, Replace):
        return [sqlite_value(action.value)]
    return [None] if isinstance(action, (Clear, Unlink)) else []


def sqlite_value(value: Any) -> Any:
    """Return *value* in the form that SQLite stores."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, Decimal):
        # SQLite compares a text as greater than every number.
        return float(value)
    return value if isinstance(value, (str, bytes, int, float)) else str(value)


def _combinations(known: Mapping[str, list[Any]]) -> Iterator[zip[tuple[str, Any]]]:
    for each in product(*known.values()):
        yield zip(known, each, strict=True)
