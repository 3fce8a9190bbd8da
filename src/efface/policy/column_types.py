"""Tell what a column stores: text, JSON, a Python type, unique values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Enum,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.schema import ColumnCollectionConstraint
from sqlalchemy.types import TypeDecorator, TypeEngine


def by_name(table: Table) -> dict[str, Column[Any]]:
    """Return the columns of *table* by their names in the database, which policies use.

    ``table.c`` has them by ``key``, which a model may choose otherwise.
    """
    return {column.name: column for column in table.columns}


def column_names(constraint: ColumnCollectionConstraint) -> tuple[str, ...]:
    """Return the names of the columns of *constraint* in the database."""
    return tuple(column.name for column in constraint.columns)


def unwrapped(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type inside any `TypeDecorator`: the one that the database sees."""
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl_instance
    return type_


def is_text(column: Column[Any]) -> bool:
    """Return whether *column* stores free text; an `Enum` does not."""
    type_ = unwrapped(column.type)
    return isinstance(type_, String) and not isinstance(type_, Enum)


def is_uuid(column: ColumnElement[Any]) -> bool:
    """Return whether *column* stores UUIDs."""
    return isinstance(unwrapped(column.type), Uuid)


def same_kind(one: Column[Any], other: Column[Any]) -> bool:
    """Return whether both columns store integers, or both UUIDs, so that values can be equal."""
    types = (unwrapped(one.type), unwrapped(other.type))
    return any(all(isinstance(type_, kind) for type_ in types) for kind in (Integer, Uuid))


def is_json(column: Column[Any]) -> bool:
    """Return whether *column* stores JSON documents."""
    return isinstance(unwrapped(column.type), JSON)


def python_type(column: Column[Any]) -> type | None:
    """Return the Python type of the values of *column*, or None if the type does not say."""
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


def room(column: Column[Any]) -> int | None:
    """Return how many characters fit into *column*, or None if the type does not say."""
    length: int | None = getattr(unwrapped(column.type), "length", None)
    return length


def is_unique(column: Column[Any]) -> bool:
    """Return whether *column* alone is unique, by a constraint or an index of all rows."""
    table = column.table
    for constraint in table.constraints:
        if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint)):
            names = [each.name for each in constraint.columns]
            if names == [column.name]:
                return True
    # A partial unique index allows the same value in rows outside its condition.
    return bool(column.unique) or any(
        index.unique and [c.name for c in index.columns] == [column.name] and not is_partial(index)
        for index in table.indexes
    )


def is_partial(index: Any) -> bool:
    """Return whether *index* contains only the rows that meet a condition."""
    return any(options.get("where") is not None for options in index.dialect_options.values())
