"""The classes that are mapped to the table of people, and the condition of open accounts.

A class can be mapped to it alone, together with the table of a subclass (joined inheritance), or
as a subclass of a class that knows nothing of closing; then the condition sits on that class.
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


class _OnlyOpen(LoaderCriteriaOption):
    """The option of `with_loader_criteria`, with a key that costs nothing to make and compare.

    SQLAlchemy would go through the whole condition for each statement. There is one option for
    each class, its condition has no parameters, and so it can stand for itself.
    """

    __slots__ = ()
    inherit_cache = True

    def _gen_cache_key(self, _anon_map: Any, _bindparams: Any) -> tuple[Any, ...]:
        return (_OnlyOpen, self, self.entity)


@dataclass(frozen=True, eq=False)
class People:
    """A class mapped to the table of people, its subclasses, and the classes it inherits from.

    ``attribute`` is the tombstone's name on the class, or None where it is not mapped. ``option``
    is what a statement gets: the condition of open accounts, on the highest class, ``top``.
    """

    mapper: Mapper[Any]
    top: Mapper[Any]
    deleted_at: Column[Any]
    attribute: str | None
    option: Any

    @classmethod
    def of(cls, mapper: Mapper[Any], deleted_at: Column[Any]) -> People:
        """Return what is to be known about *mapper*, the highest with the table of people."""
        column: Any = mapper.persist_selectable.corresponding_column(deleted_at)
        try:
            attribute = mapper.get_property_by_column(column).key
        except UnmappedColumnError:
            attribute = None
        top = mapper if mapper.concrete else mapper.base_mapper
        if top is not mapper:
            is_open = _is_no_closed_row(mapper, deleted_at)
        elif attribute is None:
            is_open = column.is_(None)
        else:
            is_open = getattr(mapper.class_, attribute).is_(None)
        option = _OnlyOpen(top.class_, is_open, include_aliases=True, propagate_to_loaders=False)
        return cls(mapper, top, deleted_at, attribute, option)

    def includes(self, mapper: Mapper[Any]) -> bool:
        """Return whether rows of *mapper* can be people, by its class or a subclass."""
        return mapper.isa(self.mapper) or (self.top.isa(mapper) and self.mapper.isa(mapper))

    def is_open(self, entity: Any) -> ColumnElement[bool] | None:
        """Return the condition for one *entity* of a statement, or None where it cannot be said."""
        if self.attribute is None or not entity.mapper.isa(self.mapper):
            return None
        condition: ColumnElement[bool] = getattr(entity.entity, self.attribute).is_(None)
        return condition

    def is_marked(self, state: Any) -> bool:
        """Return whether an object is itself marked as closed, as far as it is loaded."""
        return state.dict.get(self.attribute) is not None

    def is_closed(self, found: Any, session: Any) -> bool:
        """Return whether the row of *found*, which *session* holds, is a closed account."""
        state: Any = inspect(found)
        if self.attribute is not None and self.attribute in state.dict:
            return state.dict[self.attribute] is not None
        if not state.mapper.isa(self.mapper) or state.identity is None:
            return False
        # Not mapped, deferred, or expired under an option that forbids to load it.
        keys = zip(self.deleted_at.table.primary_key, state.identity, strict=True)
        query = select(self.deleted_at).where(*(column == value for column, value in keys))
        return session.execute(query, bind_arguments={"mapper": state.mapper}).scalar() is not None


def people_of(mappings: registry, deleted_at: Column[Any]) -> tuple[People, ...]:
    """Return the highest classes of *mappings* whose rows have the *tombstone*."""
    mappings.configure()
    mapped = {
        mapper
        for mapper in mappings.mappers
        if mapper.persist_selectable.corresponding_column(deleted_at) is not None
    }
    return tuple(
        People.of(mapper, deleted_at)
        for mapper in sorted(mapped, key=lambda mapper: mapper.class_.__qualname__)
        if mapper.concrete or mapper.inherits not in mapped
    )


def mentions(mapper: Mapper[Any], people: tuple[People, ...]) -> bool:
    """Return whether a column of *mapper* is an expression that looks at people."""
    return any(
        named(element, people)
        for prop in mapper.column_attrs
        for column in prop.columns
        if not isinstance(column, Column)
        for element in visitors.iterate(column)
    )


def named(element: Any, people: tuple[People, ...]) -> Any:
    """Return the entity (a mapper or an alias) that *element* belongs to if it is of people."""
    annotations = getattr(element, "_annotations", None)
    if not annotations:
        return None
    entity = annotations.get("parententity") or annotations.get("parentmapper")
    if entity is None or not any(each.includes(entity.mapper) for each in people):
        return None
    return entity


def entities_on_surface(
    element: Any, people: tuple[People, ...], *, through: type = ClauseElement
) -> Iterator[Any]:
    """Yield the entities of people in *element*, without looking into a SELECT inside it.

    SQLAlchemy itself looks for them only *through* elements of the class ColumnElement.
    """
    entity = named(element, people)
    if entity is not None:
        yield entity
    # A function is a FROM too, and a column all the same.
    stops = isinstance(element, ReturnsRows) and not isinstance(element, ColumnElement)
    if isinstance(element, through) and not stops:
        clause: Any = element
        for child in clause.get_children():
            yield from entities_on_surface(child, people, through=through)


def _is_no_closed_row(mapper: Mapper[Any], deleted_at: Column[Any]) -> ColumnElement[bool]:
    """Return the condition on the base class: its row is not that of a closed account."""
    closed = deleted_at.table.alias()
    pairs = zip(closed.primary_key, mapper.base_mapper.primary_key, strict=True)
    same = and_(*(theirs == mine for theirs, mine in pairs))
    is_closed = exists().where(same, closed.c[deleted_at.name].is_not(None))
    return ~is_closed.correlate_except(closed)
