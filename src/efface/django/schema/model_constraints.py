"""Constraints of a model as those of its table, so that `check` can ask them beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CheckConstraint, Field, Model, UniqueConstraint
from django.db.models.functions import Lower, Upper
from django.db.utils import Error
from sqlalchemy import CheckConstraint as Check
from sqlalchemy import Column, Index, func, literal_column
from sqlalchemy import UniqueConstraint as Unique


def constraints_of(
    model: type[Model], columns: Mapping[str, Column[Any]], connection: BaseDatabaseWrapper
) -> Iterator[Check | Unique | Index]:
    """Yield the CHECK and unique constraints of the model's own table.

    One that cannot be written down without asking the database is left to the database.

    Args:
        model: The model.
        columns: The columns of its own table, by the names of their fields.
        connection: The database whose SQL the conditions are in.
    """
    for names in model._meta.unique_together:
        if columns.keys() >= set(names):
            yield Unique(*(columns[name].name for name in names))
    for field in model._meta.local_concrete_fields:
        yield from _positive(field, connection)
    for constraint in model._meta.constraints:
        if isinstance(constraint, CheckConstraint):
            if (sql := _sql(constraint._get_check_sql, model, connection)) is not None:
                yield Check(literal_column(sql))
        elif isinstance(constraint, UniqueConstraint):
            yield from _unique(constraint, model, columns, connection)


def _positive(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> Iterator[Check]:
    if field.column is not None and field.get_internal_type().startswith("Positive"):
        sql = field.db_parameters(connection).get("check")
        if sql:
            yield Check(literal_column(sql))


def _unique(
    constraint: UniqueConstraint,
    model: type[Model],
    columns: Mapping[str, Column[Any]],
    connection: BaseDatabaseWrapper,
) -> Iterator[Unique | Index]:
    features = connection.features
    if constraint.deferrable and not features.supports_deferrable_unique_constraints:
        return  # Django does not make it there.
    if not columns.keys() >= set(constraint.fields):
        return
    parts: list[Any] = [columns[name] for name in constraint.fields]
    parts += [_folded(each, columns) for each in constraint.expressions]
    if not parts or any(part is None for part in parts):
        return
    if constraint.condition is None and constraint.fields:
        yield Unique(*(part.name for part in parts))
        return
    options: dict[str, Any] = {}
    if constraint.condition is not None:
        where = _sql(constraint._get_condition_sql, model, connection)
        if where is None:
            return
        options = {f"{name}_where": literal_column(where) for name in ("sqlite", "postgresql")}
    yield Index(constraint.name, *parts, unique=True, **options)


def _folded(expression: Any, columns: Mapping[str, Column[Any]]) -> Any:
    """Return ``Lower("email")`` as SQLAlchemy has it; None for what is not that simple."""
    if isinstance(expression, (Lower, Upper)):
        (inner,) = expression.get_source_expressions()
        column = columns.get(getattr(inner, "name", ""))
        if column is not None:
            return func.lower(column) if isinstance(expression, Lower) else func.upper(column)
    return None


def _sql(write: Any, model: type[Model], connection: BaseDatabaseWrapper) -> str | None:
    # Values of kinds that nobody can quote, or functions that ask the database what it knows.
    with suppress(ValueError, TypeError, NotImplementedError, Error):
        sql: str = write(model, connection.schema_editor())
        return sql
    return None
