"""Find values that fulfill CHECK constraints, from the text of the constraints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice, product
from typing import Any

from sqlalchemy import Column, Table

from efface.catalog.metadata import checks_of
from efface.policy.check.constraint_sql import (
    ConstraintEvaluator,
    columns_in,
    sqlite_text,
    sqlite_value,
)
from efface.policy.column_types import python_type

MOST_COMBINATIONS = 5000
"""The most combinations of values to try for one row."""
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w'.])-?\d+(?:\.\d+)?(?![\w'])")


class Checks:
    """The CHECK constraints of tables, as far as SQLite can evaluate them."""

    def named_together(self, table: Table) -> list[set[Column[Any]]]:
        """Return for each constraint of *table* the columns that it names."""
        return [set(columns_in(text, table)) for text in _texts(table)]

    def fulfilled(
        self, table: Table, values: Mapping[str, Any], fixed: Collection[str]
    ) -> dict[str, Any]:
        """Return changes to *values* with which the constraints of *table* are fulfilled.

        Columns in *fixed* don't change. If no combination is found, it returns no changes, and the
        database decides.
        """
        texts = _texts(table)
        if not texts:
            return {}
        columns = {text: columns_in(text, table) for text in texts}
        with ConstraintEvaluator() as constraints:

            def holds(text: str, found: Mapping[str, Any]) -> bool:
                named = {c.name: _sqlite_value(found.get(c.name)) for c in columns[text]}
                return constraints.passes(text, named)

            broken = [text for text in texts if not holds(text, values)]
            free = {c.name: c for text in broken for c in columns[text] if c.name not in fixed}
            # Only columns of broken constraints vary, so that the others keep their personal
            # values.
            choices = (list(_candidates(c, texts, values[c.name])) for c in free.values())
            for chosen in islice(product(*choices), MOST_COMBINATIONS) if broken else ():
                changed = dict(zip(free, chosen, strict=True))
                if all(holds(text, {**values, **changed}) for text in texts):
                    return changed
        return {}


def _texts(table: Table) -> list[str]:
    return [text for each in checks_of(table) if (text := sqlite_text(each))]


def _candidates(column: Column[Any], texts: list[str], value: Any) -> Iterator[Any]:
    """Yield values for *column*, *value* first."""
    yield value
    kind = python_type(column)
    literals = [found.replace("''", "'") for text in texts for found in _LITERAL.findall(text)]
    plain = [_LITERAL.sub("", text) for text in texts]
    numbers = sorted({Decimal(found) for text in plain for found in _NUMBER.findall(text)})
    if kind is str:
        yield from literals
        # A literal may be a LIKE pattern, and a number a length.
        yield from (found.replace("%", "x").replace("_", "x") for found in literals)
        # Around each number, because < and <= are not told apart here.
        for length in (int(n) + more for n in numbers for more in (0, 1, -1)):
            if 0 <= length <= len(str(value)):
                yield str(value)[:length]
            elif length <= MOST_COMBINATIONS:
                yield str(value).ljust(length, "x")
        yield from (str(value).upper(), str(value).lower())
    elif kind in (int, float, Decimal):
        yield from (kind(n + more) for n in numbers for more in (0, 1, -1))
        yield from (kind(1), kind(0))
    elif kind is bool:
        yield from (True, False)
    elif kind in (date, datetime):
        yield from (value + timedelta(days=days) for days in (1, -1, 400, -400))
        for literal in literals:
            with suppress(ValueError):
                yield kind.fromisoformat(literal)
    if column.nullable:
        yield None


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return float(value) if isinstance(value, Decimal) else sqlite_value(value)
