"""Compile a Core statement once for a driver, so that each execution only binds values.

Statements run on the driver's cursor: faster, and without SQLAlchemy's statement log, which would
print personal values.
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
"""The prefix of a parameter's name if the same value is also bound as text."""


class CompiledStatement:
    """SQL for one driver, with the names and the conversions of its parameters."""

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
        """Compile *clause*; an error names *table* and *act*, such as ``"delete from"``."""
        compiled: Any = clause.compile(dialect=dialect)
        self.sql = str(compiled)
        self.table, self.act = table, act
        self._dialect = dialect
        names = compiled.positiontup if compiled.positional else compiled.binds
        # SQLAlchemy escapes the parameter of a column such as "Kunden Nr" in the text.
        escaped = compiled.escaped_bind_names or {}
        self._names = None if compiled.positional else tuple(escaped.get(n, n) for n in names)
        # In the driver's order: a parameter's name or None, a constant, and the conversion.
        self._entries: list[tuple[str | None, Any, Processor | None]] = []
        for name in names:
            bind = compiled.binds[name]
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                self._entries.append((bind.key.removeprefix(AS_TEXT), None, process))
            else:
                # A constant is the same at every execution, so it is converted once, here.
                value = bind.effective_value
                self._entries.append((None, process(value) if process else value, None))
        self._types: tuple[TypeEngine[Any], ...] = tuple(column.type for column in results)

    def bind(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """Return *values* in the form and order that the driver expects."""
        found = [
            constant if key is None else process(values[key]) if process else values[key]
            for key, constant, process in self._entries
        ]
        if self._names is None:
            return tuple(found)
        return dict(zip(self._names, found, strict=True))

    def rows(self, cursor: Any) -> list[tuple[Any, ...]]:
        """Return every row of *cursor*, with values converted by the column types."""
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        if not rows:
            return rows
        # They depend on the cursor's description, so they cannot be prepared with the statement.
        processors = [
            type_.dialect_impl(self._dialect).result_processor(self._dialect, described[1])
            for type_, described in zip(self._types, cursor.description, strict=True)
        ]
        if not any(processors):
            return rows
        return [
            tuple([p(v) if p else v for p, v in zip(processors, row, strict=True)]) for row in rows
        ]
