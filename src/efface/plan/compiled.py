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


class Statement:
    """SQL text for one driver, with the names to bind and the conversions of values."""

    __slots__ = ("_bound", "_constants", "_dialect", "_positional", "_types", "act", "sql", "table")

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
        self._positional: tuple[str, ...] | None = (
            tuple(compiled.positiontup) if compiled.positional else None
        )
        self._bound: list[tuple[str, str, Processor | None]] = []
        self._constants: dict[str, Any] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                self._bound.append((name, bind.key, process))
            else:
                value = bind.effective_value
                self._constants[name] = process(value) if process else value
        self._types: tuple[TypeEngine[Any], ...] = tuple(column.type for column in results)

    def bind(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """Return *values* as the driver takes them."""
        parameters = dict(self._constants)
        for name, key, process in self._bound:
            value = values[key]
            parameters[name] = process(value) if process else value
        if self._positional is None:
            return parameters
        return tuple([parameters[name] for name in self._positional])

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
