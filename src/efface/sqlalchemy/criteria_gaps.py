"""Where SQLAlchemy's criteria do not reach, and what is done instead.

`with_loader_criteria` filters what a SELECT loads, joins, or names in WHERE. It passes over a class
that stands only inside a `join()` object or the FILTER or OVER of a function, over the second class
of an UPDATE or DELETE, and it makes a wrong UPDATE of a joined-table subclass. The outermost
statement is mended with a condition of its own; where that is not possible it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Delete, Join, Select, Update, inspect
from sqlalchemy.sql import visitors

from efface.errors import UnfilteredStatementError
from efface.sqlalchemy.user_mappers import People, entities_on_surface, named

_Found = tuple[Any, ...]


def examine(statement: Any, people: tuple[People, ...]) -> str | None:
    """Return why closed accounts cannot be left out of *statement*; None where they can be."""
    for element in visitors.iterate(statement):
        entity = named(element, people)
        if entity is not None and (problem := _unadaptable(entity, people)):
            return problem
        if isinstance(element, Select) and any(
            isinstance(part, Join) and part.full for part in _joins_of(element)
        ):
            return "it has a FULL JOIN"
        if isinstance(element, (Update, Delete)) and (problem := _wrong_target(element, people)):
            return problem
        if element is not statement and unreached(element, people):
            what = "UPDATE or DELETE" if isinstance(element, (Update, Delete)) else "SELECT"
            return f"a {what} inside it has a join() object, or a second class, with people"
    return None


def unreached(element: Any, people: tuple[People, ...]) -> _Found:
    """Return the entities of people in a SELECT, UPDATE or DELETE that no criteria reach."""
    if isinstance(element, Select):
        return tuple(_unreached_by_select(element, people))
    if isinstance(element, (Update, Delete)):
        target = named(element.table, people)
        found = dict.fromkeys(_surface(element.get_children(), people))
        return tuple(each for each in found if each is not target)
    return ()


def mended(statement: Any, people: tuple[People, ...]) -> Any:
    """Return *statement* with a condition for each entity that no criteria reach.

    Raises:
        UnfilteredStatementError: there is no such condition.
    """
    for entity in unreached(statement, people):
        conditions = [each.is_open(entity) for each in people]
        condition = next((each for each in conditions if each is not None), None)
        if condition is None or (statement.is_dml and not _is_own_table(entity, people)):
            table = people[0].deleted_at.table.fullname
            raise UnfilteredStatementError(table, "it names a class that maps several tables")
        statement = statement.where(condition)
    return statement


def only_open(statement: Any, people: People) -> Any:
    """Return an UPDATE or DELETE of *people* with a condition of its own.

    Raises:
        UnfilteredStatementError: the condition is about another table.
    """
    if people.top is not people.mapper:
        what = "it writes without the ORM, and the tombstone is in the table of a subclass"
        raise UnfilteredStatementError(people.deleted_at.table.fullname, what)
    return statement.where(people.deleted_at.is_(None))


def _unreached_by_select(select: Select[Any], people: tuple[People, ...]) -> Iterator[Any]:
    reached = set()
    if select.whereclause is not None:
        reached |= set(entities_on_surface(select.whereclause, people, through=ColumnElement))
    on_surface: dict[Any, None] = {}
    # SQLAlchemy cannot describe "*", as in `exists().where(...)`; nothing stands beside it there.
    for described in () if "*" in select.selected_columns else select.column_descriptions:
        if described.get("entity") is not None:
            reached.add(inspect(described["entity"]))
        on_surface |= dict.fromkeys(_surface([described["expr"]], people))
    for child in select.get_children():
        if isinstance(child, Join):
            on_surface |= dict.fromkeys(_leaves(child, people))
    yield from (entity for entity in on_surface if entity not in reached)


def _surface(elements: Any, people: tuple[People, ...]) -> Iterator[Any]:
    for element in elements:
        clause = element.__clause_element__() if hasattr(element, "__clause_element__") else element
        yield from entities_on_surface(clause, people)


def _leaves(join: Join, people: tuple[People, ...]) -> Iterator[Any]:
    for side in (join.left, join.right):
        if isinstance(side, Join):
            yield from _leaves(side, people)
        elif (entity := named(side, people)) is not None:
            yield entity


def _joins_of(select: Select[Any]) -> Iterator[Any]:
    waiting = list(select.get_final_froms())
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, Join):
            waiting += [found.left, found.right]


def _unadaptable(entity: Any, people: tuple[People, ...]) -> str | None:
    """Return the problem of an alias over a subquery that has left the tombstone out."""
    if not entity.is_aliased_class:
        return None
    for each in people:
        if entity.mapper.isa(each.mapper):
            needed = [each.deleted_at]
        elif each.includes(entity.mapper):
            needed = list(entity.mapper.base_mapper.primary_key)
        else:
            continue
        if any(entity.selectable.corresponding_column(column) is None for column in needed):
            return (
                f"an alias stands for a subquery without the column {needed[0].name}; add it there"
            )
    return None


def _wrong_target(element: Any, people: tuple[People, ...]) -> str | None:
    """Return the problem of an UPDATE or DELETE of a subclass's table, or of an alias."""
    target = named(element.table, people)
    if target is None:
        return None
    if target.is_aliased_class:
        return "it writes through an alias; write through the class"
    if not _is_own_table(target, people):
        return (
            "it writes a table that is not where closed accounts are marked; write "
            "update(Class.__table__).where(Class.__table__.c.id.in_(select(Class.id)))"
        )
    return None


def _is_own_table(entity: Any, people: tuple[People, ...]) -> bool:
    """Return whether rows of *entity* are in the table that the condition is about."""
    return all(
        entity.mapper.local_table is each.top.local_table
        for each in people
        if each.includes(entity.mapper)
    )
