"""Convert the constraints of a model, so that `check` can test actions against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import CheckConstraint, Field, Model, UniqueConstraint
from django.db.models.expressions import OrderBy
from django.db.models.indexes import IndexExpression
from django.db.models.sql import Query
from django.db.utils import Error
from sqlalchemy import CheckConstraint as Check
from sqlalchemy import Column, Index, literal_column
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
    options: dict[str, Any] = {}
    if getattr(constraint, "nulls_distinct", None) is False:
        # The feature itself would ask the server for its version.
        if connection.vendor != "postgresql":
            return
        options["postgresql_nulls_not_distinct"] = True
    if not columns.keys() >= set(constraint.fields):
        return
    parts: list[Any] = [columns[name] for name in constraint.fields]
    if constraint.condition is None and parts:
        yield Unique(*(part.name for part in parts), **options)
        return
    # SQLAlchemy has no unique constraint with a condition or an expression, only an index.
    for expression in constraint.expressions:
        write = partial(_compile_expression, expression)
        if (sql := _compile_condition(write, model, connection)) is None:
            return
        parts.append(literal_column(sql))
    if constraint.condition is not None:
        where = _compile_condition(constraint._get_condition_sql, model, connection)
        if where is None:
            return
        options |= {f"{name}_where": literal_column(where) for name in ("sqlite", "postgresql")}
    yield Index(constraint.name, *parts, unique=True, **options)


def _compile_expression(
    expression: Any, model: type[Model], editor: BaseDatabaseSchemaEditor
) -> str:
    """Return an expression of an index as SQL, with its values in place."""
    query = Query(model, alias_cols=False)
    compiler = query.get_compiler(connection=editor.connection)
    # The order of an index is not a part of what it compares.
    found = expression.expression if isinstance(expression, OrderBy) else expression
    sql, values = compiler.compile(IndexExpression(found).resolve_expression(query))
    return str(sql) % tuple(map(editor.quote_value, values))


def _compile_condition(
    write: Any, model: type[Model], connection: BaseDatabaseWrapper
) -> str | None:
    # Django cannot quote every value without a database, and some functions query it first.
    with suppress(ValueError, TypeError, NotImplementedError, Error):
        sql: str = write(model, connection.schema_editor())
        return sql
    return None
