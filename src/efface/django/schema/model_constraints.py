"""Convert the constraints of a model, so that `check` can test actions against them."""

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


def read_constraints(
    model: type[Model], columns: Mapping[str, Column[Any]], connection: BaseDatabaseWrapper
) -> Iterator[Check | Unique | Index]:
    """Yield the CHECK and unique constraints of the model's own table.

    Constraints whose SQL needs the database's help are left out. The database still enforces them.

    Args:
        model: The model.
        columns: The columns of its own table by field name.
        connection: The database in whose SQL the conditions are written.
    """
    for names in model._meta.unique_together:
        if columns.keys() >= set(names):
            yield Unique(*(columns[name].name for name in names))
    # `PositiveIntegerField` and its kind have a CHECK constraint that no model lists.
    for field in model._meta.local_concrete_fields:
        yield from _read_positive_check(field, connection)
    for constraint in model._meta.constraints:
        if isinstance(constraint, CheckConstraint):
            if (
                sql := _compile_condition(constraint._get_check_sql, model, connection)
            ) is not None:
                yield Check(literal_column(sql))
        elif isinstance(constraint, UniqueConstraint):
            yield from _read_unique_constraint(constraint, model, columns, connection)


def _read_positive_check(
    field: Field[Any, Any], connection: BaseDatabaseWrapper
) -> Iterator[Check]:
    if field.column is not None and field.get_internal_type().startswith("Positive"):
        sql = field.db_parameters(connection).get("check")
        if sql:
            yield Check(literal_column(sql))


def _read_unique_constraint(
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
    parts += [_convert_expression(each, columns) for each in constraint.expressions]
    if not parts or any(part is None for part in parts):
        return
    if constraint.condition is None and constraint.fields:
        yield Unique(*(part.name for part in parts))
        return
    # SQLAlchemy has no unique constraint with a condition or an expression, only an index.
    options: dict[str, Any] = {}
    if constraint.condition is not None:
        where = _compile_condition(constraint._get_condition_sql, model, connection)
        if where is None:
            return
        options = {f"{name}_where": literal_column(where) for name in ("sqlite", "postgresql")}
    yield Index(constraint.name, *parts, unique=True, **options)


def _convert_expression(expression: Any, columns: Mapping[str, Column[Any]]) -> Any:
    """Return ``Lower("email")`` or ``Upper("email")`` for SQLAlchemy, or None for anything else."""
    if isinstance(expression, (Lower, Upper)):
        (inner,) = expression.get_source_expressions()
        column = columns.get(getattr(inner, "name", ""))
        if column is not None:
            return func.lower(column) if isinstance(expression, Lower) else func.upper(column)
    return None


def _compile_condition(
    write: Any, model: type[Model], connection: BaseDatabaseWrapper
) -> str | None:
    # Django cannot quote every value without a database, and some functions query it first.
    with suppress(ValueError, TypeError, NotImplementedError, Error):
        sql: str = write(model, connection.schema_editor())
        return sql
    return None
