"""Find the classes mapped to the user table, and write the condition for open accounts.

A class can be mapped to the user table alone, or together with the table of a subclass (joined
inheritance). If it inherits from a class without a ``deleted_at`` column, the condition is on that
parent class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, exists, inspect, select
from sqlalchemy.orm import LoaderCriteriaOption, Mapper, registry
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.selectable import ReturnsRows


class _OpenCriteria(LoaderCriteriaOption):
    """An option of `with_loader_criteria` with a cache key that is cheap to make and compare.

    SQLAlchemy would traverse the whole condition for each statement. Efface makes one option per
    class, and its condition has no parameters, so the option is its own key.
    """

    __slots__ = ()
    inherit_cache = True

    def _gen_cache_key(self, _anon_map: Any, _bindparams: Any) -> tuple[Any, ...]:
        return (_OpenCriteria, self, self.entity)


@dataclass(frozen=True, eq=False)
class UserClass:
    """A class mapped to the user table, with its subclasses and parent classes.

    ``attribute`` is the name of the ``deleted_at`` column on the class, or None if it is not
    mapped. ``option`` adds the condition for open accounts to a statement, on the highest class,
    ``top``.
    """

    mapper: Mapper[Any]
    top: Mapper[Any]
    deleted_at: Column[Any]
    attribute: str | None
    option: Any

    @classmethod
    def from_mapper(cls, mapper: Mapper[Any], deleted_at: Column[Any]) -> UserClass:
        """Return the user class for *mapper*, the highest mapper that has the user table."""
        column: Any = mapper.persist_selectable.corresponding_column(deleted_at)
        try:
            attribute = mapper.get_property_by_column(column).key
        except UnmappedColumnError:
            attribute = None
        # SQLAlchemy ignores criteria on a subclass when a statement loads the parent class.
        top = mapper if mapper.concrete else mapper.base_mapper
        if top is not mapper:
            condition = _has_no_closed_row(mapper, deleted_at)
        elif attribute is None:
            condition = column.is_(None)
        else:
            condition = getattr(mapper.class_, attribute).is_(None)
        option = _OpenCriteria(
            top.class_, condition, include_aliases=True, propagate_to_loaders=False
        )
        return cls(mapper, top, deleted_at, attribute, option)

    def includes(self, mapper: Mapper[Any]) -> bool:
        """Return whether rows of *mapper* can be users, through its class or a subclass."""
        return mapper.isa(self.mapper) or (self.top.isa(mapper) and self.mapper.isa(mapper))

    def make_condition(self, entity: Any) -> ColumnElement[bool] | None:
        """Return the condition for one *entity* of a statement, or None if there is none."""
        if self.attribute is None or not entity.mapper.isa(self.mapper):
            return None
        condition: ColumnElement[bool] = getattr(entity.entity, self.attribute).is_(None)
        return condition

    def is_loaded_as_closed(self, state: Any) -> bool:
        """Return whether the object of *state* has a loaded ``deleted_at`` that is not NULL."""
        return state.dict.get(self.attribute) is not None

    def is_closed(self, found: Any, session: Any) -> bool:
        """Return whether the row of *found*, an object in *session*, is a closed account."""
        state: Any = inspect(found)
        if self.attribute is not None and self.attribute in state.dict:
            return state.dict[self.attribute] is not None
        if not state.mapper.isa(self.mapper) or state.identity is None:
            return False
        # The attribute can be unmapped, deferred, or expired under an option that forbids to load
        # it.
        keys = zip(self.deleted_at.table.primary_key, state.identity, strict=True)
        query = select(self.deleted_at).where(*(column == value for column, value in keys))
        return session.execute(query, bind_arguments={"mapper": state.mapper}).scalar() is not None


def find_user_classes(mappings: registry, deleted_at: Column[Any]) -> tuple[UserClass, ...]:
    """Return the highest classes of *mappings* whose rows have the ``deleted_at`` column."""
    # Before that, mappers lack columns and relationships that others add to them.
    mappings.configure()
    mapped = {
        mapper
        for mapper in mappings.mappers
        if mapper.persist_selectable.corresponding_column(deleted_at) is not None
    }
    return tuple(
        UserClass.from_mapper(mapper, deleted_at)
        for mapper in sorted(mapped, key=lambda mapper: mapper.class_.__qualname__)
        if mapper.concrete or mapper.inherits not in mapped
    )


def has_user_expression(mapper: Mapper[Any], user_classes: tuple[UserClass, ...]) -> bool:
    """Return whether a column of *mapper* is an expression over a user class."""
    return any(
        find_entity(element, user_classes)
        for prop in mapper.column_attrs
        for column in prop.columns
        if not isinstance(column, Column)
        for element in visitors.iterate(column)
    )


def find_entity(element: Any, user_classes: tuple[UserClass, ...]) -> Any:
    """Return the mapper or alias that *element* belongs to, if it is a user class, else None."""
    annotations = getattr(element, "_annotations", None)
    if not annotations:
        return None
    entity = annotations.get("parententity") or annotations.get("parentmapper")
    if entity is None or not any(each.includes(entity.mapper) for each in user_classes):
        return None
    return entity


def iterate_entities(
    element: Any, user_classes: tuple[UserClass, ...], *, through: type = ClauseElement
) -> Iterator[Any]:
    """Yield the user entities in *element*, without those inside a nested SELECT.

    *through* limits the search: SQLAlchemy itself only searches inside a ColumnElement.
    """
    entity = find_entity(element, user_classes)
    if entity is not None:
        yield entity
    # A function can be a FROM, but it is also a column whose arguments count.
    stops = isinstance(element, ReturnsRows) and not isinstance(element, ColumnElement)
    if isinstance(element, through) and not stops:
        clause: Any = element
        for child in clause.get_children():
            yield from iterate_entities(child, user_classes, through=through)


def _has_no_closed_row(mapper: Mapper[Any], deleted_at: Column[Any]) -> ColumnElement[bool]:
    """Return the condition on the parent class that its row is not a closed account."""
    closed = deleted_at.table.alias()
    pairs = zip(closed.primary_key, mapper.base_mapper.primary_key, strict=True)
    same = and_(*(theirs == mine for theirs, mine in pairs))
    is_closed = exists().where(same, closed.c[deleted_at.name].is_not(None))
    return ~is_closed.correlate_except(closed)
