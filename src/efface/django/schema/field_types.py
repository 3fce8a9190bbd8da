"""Convert a Django field to the type of its column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

SIMPLE_TYPES: Mapping[str, Callable[[], TypeEngine[Any]]] = {
    "AutoField": sa.Integer,
    "BigAutoField": sa.BigInteger,
    "SmallAutoField": sa.SmallInteger,
    "IntegerField": sa.Integer,
    "PositiveIntegerField": sa.Integer,
    "BigIntegerField": sa.BigInteger,
    "PositiveBigIntegerField": sa.BigInteger,
    "SmallIntegerField": sa.SmallInteger,
    "PositiveSmallIntegerField": sa.SmallInteger,
    "BooleanField": sa.Boolean,
    "FloatField": sa.Float,
    "TextField": sa.Text,
    "DateField": sa.Date,
    "TimeField": sa.Time,
    "BinaryField": sa.LargeBinary,
    "UUIDField": sa.Uuid,
}
TEXT_KINDS = frozenset({"CharField", "SlugField", "FileField", "FilePathField"})


def column_type(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> TypeEngine[Any]:
    """Return the type of the column that *field* has in this database."""
    if field.remote_field is not None and getattr(field, "target_field", None) is not None:
        # A foreign key has the type of its target, which may be any unique field.
        return column_type(field.target_field, connection)
    output = getattr(field, "output_field", None)
    if getattr(field, "generated", False) and output is not None:
        return column_type(output, connection)
    element = getattr(field, "base_field", None)
    if element is not None:
        return postgresql.ARRAY(column_type(element, connection))
    kind = field.get_internal_type()
    if kind in SIMPLE_TYPES:
        return SIMPLE_TYPES[kind]()
    if kind in TEXT_KINDS:
        return sa.String(field.max_length)
    return _find_vendor_type(
        field, kind, on_postgresql=connection.vendor == "postgresql"
    ) or _find_stored_type(field, connection)


def _find_vendor_type(
    field: Field[Any, Any], kind: str, *, on_postgresql: bool
) -> TypeEngine[Any] | None:
    if kind == "DecimalField":
        return sa.Numeric(getattr(field, "max_digits", 0), getattr(field, "decimal_places", 0))
    # `Clear` must write SQL NULL. By default SQLAlchemy writes the JSON document null.
    json = postgresql.JSONB if on_postgresql else sa.JSON
    types: dict[str, TypeEngine[Any]] = {
        "DateTimeField": sa.DateTime(timezone=True),
        "JSONField": json(none_as_null=True),
        "DurationField": sa.Interval() if on_postgresql else sa.BigInteger(),
        "GenericIPAddressField": postgresql.INET() if on_postgresql else sa.String(39),
    }
    return types.get(kind)


def _find_stored_type(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> TypeEngine[Any]:
    """Return the type of a custom field, from the type that the database stores."""
    stored = (field.db_type(connection) or "").lower()
    if "char" in stored:
        return sa.String(field.max_length)
    if "text" in stored:
        return sa.Text()
    return sa.types.NullType()
