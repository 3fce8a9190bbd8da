"""A Core statement compiled once for a driver, then only bound: text, order, conversions.

Execution runs on the driver's cursor. That keeps the cost of a statement near the driver's own,
and keeps values out of SQLAlchemy's statement log, which would print the person's data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

Processor = Callable[[Any], Any]
AS_TEXT = "text_of_"
"""What the name of a parameter begins with where the value is bound a second time, as text."""


class CompiledStatement:
    """SQL text for one driver, with the names to bind and the conversions of values."""

    __slots__ = ("_dialect", "_entries", "_names", "_types", "act", "sql", "table")

    def __init__(
        self,
        clause: ClauseElement,
        dialect: Dialect,
        *,
        table: str,
        act: str,
        results: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        """Compile *clause*; *table* and *act* say in an error what was being done."""
        compiled: Any = clause.compile(dialect=dialect)
        self.sql = str(compiled)
        self.table, self.act = table, act
        self._dialect = dialect
        names = compiled.positiontup if compiled.positional else compiled.binds
        # SQLAlchemy spells a parameter of a column such as "Kunden Nr" otherwise in the text.
        spelled = compiled.escaped_bind_names or {}
        self._names = None if compiled.positional else tuple(spelled.get(n, n) for n in names)
        # In the driver's order: the key of a value to bind, or a constant, and its conversion.
        self._entries: list[tuple[str | None, Any, Processor | None]] = []
        for name in names:
            bind = compiled.binds[name]
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                self._entries.append((bind.key.removeprefix(AS_TEXT), None, process))
            else:
                value = bind.effective_value
                self._entries.append((None, process(value) if process else value, None))
        self._types: tuple[TypeEngine[Any], ...] = tuple(column.type for column in results)

    def bind(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """Return *values* as the driver takes them."""
        found = [
            constant if key is None else process(values[key]) if process else values[key]
            for key, constant, process in self._entries
        ]
        if self._names is None:
            return tuple(found)
        return dict(zip(self._names, found, strict=True))

    def rows(self, cursor: Any) -> list[tuple[Any, ...]]:
        """Return every row of *cursor* with the values as the column types give them."""
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if not rows:
            return rows
        processors = [
            type_.dialect_impl(self._dialect).result_processor(self._dialect, described[1])
            for type_, described in zip(self._types, cursor.description, strict=True)
        ]
        if not any(processors):
            return rows
        return [
            tuple([p(v) if p else v for p, v in zip(processors, row, strict=True)]) for row in rows
        ]
