"""A SQLAlchemy MetaData as relations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    Enum,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UnaryExpression,
    UniqueConstraint,
)
from sqlalchemy import Column as TableColumn
from sqlalchemy import Index as TableIndex
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator, TypeEngine

from efface.catalog.relation import (
    Action,
    Check,
    Column,
    ForeignKey,
    Identity,
    Index,
    Name,
    Part,
    Relation,
)
from efface.catalog.tokens import names_in
from efface.catalog.types import length_of

ENFORCED = "efface.enforced"
"""The key in the ``info`` of a ForeignKeyConstraint; False if the database has no constraint."""
ON_DELETE = "efface.on_delete"
"""The key in the ``info`` of a ForeignKeyConstraint for what the application does on a deletion."""
VIEW = "efface.view"
"""The key in the ``info`` of a Table; True if it is a view, whose rows are other tables'."""
UNMANAGED = "efface.unmanaged"
"""The key in the ``info`` of a Table; True if the application did not create it: often a view."""


def read(metadata: MetaData) -> tuple[Relation, ...]:
    """Return the tables of *metadata*, by name."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.fullname)
    return tuple(_relation(table) for table in tables)


def _relation(table: Table) -> Relation:
    indexes = [*_constraints(table), *_indexes(table)]
    return Relation(
        name_of(table),
        # A system column such as xmin is in no catalog.
        columns=tuple(_column(column) for column in table.columns if not column.system),
        indexes=tuple(sorted(indexes, key=lambda i: (not i.is_primary, str(i.name), str(i.parts)))),
        foreign_keys=tuple(
            sorted(map(_foreign_key, table.foreign_key_constraints), key=lambda k: k.columns)
        ),
        checks=tuple(sorted(_checks(table), key=lambda check: (str(check.name), check.text))),
    )


def name_of(table: Table) -> Name:
    """Return the name of a table of models."""
    return Name(None if table.schema is None else str(table.schema), str(table.name))


# ---------------------------------------------------------------- columns


def _column(column: TableColumn[Any]) -> Column:
    type_, base = _unwrapped(column.type), _below(column.type)
    not_null = isinstance(type_, DOMAIN) and bool(type_.not_null)
    computed = column.computed
    return Column(
        str(column.name),
        _spelled(type_),
        _spelled(base),
        _spelled(_below(base.item_type)) if isinstance(base, ARRAY) else None,
        _length(base),
        bool(column.nullable) and not column.primary_key and not not_null,
        None if computed is not None else _default(column),
        None if computed is None else _text(computed.sqltext),
        _identity(column),
        getattr(base, "collation", None) or getattr(type_, "collation", None),
        labels=tuple(map(str, base.enums)) if isinstance(base, Enum) else (),
    )


def _unwrapped(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(type_, TypeDecorator):
        type_ = type_.impl_instance
    return type_


def _below(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type below any `TypeDecorator` and any domain."""
    found = _unwrapped(type_)
    while isinstance(found, DOMAIN):
        found = _unwrapped(found.data_type)
    return found


def _spelled(type_: TypeEngine[Any]) -> str:
    if isinstance(type_, DOMAIN):
        return str(type_.name)
    try:
        return str(type_)
    except (SQLAlchemyError, NotImplementedError):
        return type(type_).__name__


def _length(base: TypeEngine[Any]) -> int | None:
    # A native enumeration has no length; the one that SQLAlchemy computes is for its text.
    if isinstance(base, Enum) and base.native_enum:
        return None
    if isinstance(base, String):
        return base.length
    return length_of(_spelled(base))  # a UUID can be kept as CHAR(32)


def _default(column: TableColumn[Any]) -> str | None:
    default: Any = column.server_default
    if default is None or isinstance(default, Computed) or column.identity is not None:
        return None
    argument = getattr(default, "arg", None)
    return None if argument is None else _text(argument)


def _identity(column: TableColumn[Any]) -> Identity | None:
    if column.identity is None:
        return None
    return "ALWAYS" if column.identity.always else "BY DEFAULT"


def _text(expression: Any) -> str:
    """Return an expression as SQL, with its values in place."""
    if isinstance(expression, str):
        return expression
    options = {"literal_binds": True, "include_table": False}
    try:
        return str(expression.compile(compile_kwargs=options))
    except (SQLAlchemyError, NotImplementedError):
        return str(expression)


# ---------------------------------------------------------------- keys


def _constraints(table: Table) -> Iterator[Index]:
    for constraint in table.constraints:
        if not isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint)):
            continue
        parts = tuple(Part(str(each.name)) for each in constraint.columns)
        if parts:
            yield Index(
                None if constraint.name is None else str(constraint.name),
                parts,
                is_unique=True,
                is_primary=isinstance(constraint, PrimaryKeyConstraint),
                nulls_distinct=not _option(constraint, "nulls_not_distinct"),
                deferrable=bool(constraint.deferrable),
                initially_deferred=_is_deferred(constraint.initially),
            )


def _indexes(table: Table) -> Iterator[Index]:
    for index in table.indexes:
        condition = _option(index, "where")
        yield Index(
            None if index.name is None else str(index.name),
            tuple(_part(each) for each in index.expressions),
            is_unique=index.unique,
            condition=None if condition is None else _text(condition),
            nulls_distinct=not _option(index, "nulls_not_distinct"),
            method=str(_option(index, "using") or "btree"),
        )


def _part(expression: Any) -> Part:
    while isinstance(expression, UnaryExpression) and expression.modifier is not None:
        # DESC or NULLS LAST, which is not a part of what it compares.
        expression = expression.element
    if isinstance(expression, TableColumn):
        return Part(str(expression.name))
    return Part(None, _text(expression))


def _option(item: TableIndex | PrimaryKeyConstraint | UniqueConstraint, name: str) -> Any:
    """Return what an index is given for this database or that, such as ``postgresql_where``."""
    for options in item.dialect_options.values():
        try:
            found = options.get(name)
        except SQLAlchemyError:  # a dialect that is not installed
            continue
        if found is not None and found is not False:
            return found
    return None


def _is_deferred(initially: str | None) -> bool:
    return (initially or "").upper() == "DEFERRED"


def _foreign_key(key: ForeignKeyConstraint) -> ForeignKey:
    enforced = bool(key.info.get(ENFORCED, True))
    columns = tuple(str(each.parent.name) for each in key.elements)
    target, target_columns = _target(key)
    action, set_columns = _action(key.ondelete)
    writes = action in ("SET NULL", "SET DEFAULT")
    return ForeignKey(
        None if key.name is None else str(key.name),
        columns,
        target,
        target_columns,
        action,
        _action(key.onupdate)[0],
        set_columns or (columns if writes else ()),
        (key.match or "").upper() == "FULL",
        bool(key.deferrable),
        _is_deferred(key.initially),
        is_checked=enforced,
        is_acting=enforced,
    )


def _target(key: ForeignKeyConstraint) -> tuple[Name, tuple[str, ...]]:
    try:
        return name_of(key.referred_table), tuple(str(each.column.name) for each in key.elements)
    except SQLAlchemyError:  # a table that the models do not have
        paths = [each.target_fullname.split(".") for each in key.elements]
        schema = ".".join(paths[0][:-2]) or None
        return Name(schema, paths[0][-2]), tuple(path[-1] for path in paths)


def _action(said: str | None) -> tuple[Action, tuple[str, ...]]:
    """Return the action, and the columns of ``SET NULL (a, b)``."""
    action, _, columns = (said or "NO ACTION").partition("(")
    names = [each.strip().strip('"') for each in columns.rstrip(") ").split(",")]
    return cast("Action", " ".join(action.upper().split())), tuple(filter(None, names))


def checks_of(table: Table) -> list[CheckConstraint]:
    """Return the CHECKs of *table*, by name, with those that a model declares on its columns."""
    found = [*table.constraints, *(each for column in table.columns for each in column.constraints)]
    checks = dict.fromkeys(each for each in found if isinstance(each, CheckConstraint))
    return sorted(checks, key=lambda each: str(each.name))


def _checks(table: Table) -> Iterator[Check]:
    names = [str(column.name) for column in table.columns]
    for constraint in checks_of(table):
        # Only some databases get the constraint of a Boolean or a native Enum.
        if not _is_of_a_type(constraint):
            text = _text(constraint.sqltext)
            yield Check(
                None if constraint.name is None else str(constraint.name),
                text,
                names_in(text, names),
            )


def _is_of_a_type(constraint: CheckConstraint) -> bool:
    if not getattr(constraint, "_type_bound", False):
        return False
    types = [_below(column.type) for column in constraint.columns]
    return not all(isinstance(type_, Enum) and not type_.native_enum for type_ in types)
