"""Filter the parts of a statement that SQLAlchemy's `with_loader_criteria` skips.

`with_loader_criteria` filters the classes that a SELECT loads, joins, or names in WHERE. It skips
a class that is only inside a `join()` object or inside FILTER or OVER of a function, and the second
class of an UPDATE or DELETE. For a joined-table subclass it writes a wrong UPDATE. Efface adds a
condition to the outermost statement, and refuses the statement if there is no such condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Delete, Join, Select, Update, inspect
from sqlalchemy.sql import visitors

from efface.errors import UnfilteredStatementError
from efface.sqlalchemy.user_mappers import UserClass, find_entity, iterate_entities

_Entities = tuple[Any, ...]


def find_problem(statement: Any, user_classes: tuple[UserClass, ...]) -> str | None:
    """Return why Efface cannot hide closed accounts from *statement*, or None if it can."""
    for element in visitors.iterate(statement):
        entity = find_entity(element, user_classes)
        if entity is not None and (problem := _find_alias_problem(entity, user_classes)):
            return problem
        if isinstance(element, Select) and any(
            isinstance(part, Join) and part.full for part in _iterate_froms(element)
        ):
            return "it has a FULL JOIN"
        if isinstance(element, (Update, Delete)) and (
            problem := _find_target_problem(element, user_classes)
        ):
            return problem
        # `add_conditions` changes only the outermost statement.
        if element is not statement and find_unfiltered(element, user_classes):
            what = "UPDATE or DELETE" if isinstance(element, (Update, Delete)) else "SELECT"
            return f"a {what} inside it has a join() object, or a second class, with users"
    return None


def find_unfiltered(element: Any, user_classes: tuple[UserClass, ...]) -> _Entities:
    """Return the user entities in a SELECT, UPDATE or DELETE that the loader criteria skip."""
    if isinstance(element, Select):
        return tuple(_find_unfiltered_in_select(element, user_classes))
    if isinstance(element, (Update, Delete)):
        # The criteria reach the table that the statement writes, but no other one.
        target = find_entity(element.table, user_classes)
        found = dict.fromkeys(_iterate_entities_of(element.get_children(), user_classes))
        return tuple(each for each in found if each is not target)
    return ()


def add_conditions(statement: Any, user_classes: tuple[UserClass, ...]) -> Any:
    """Return *statement* with a condition for each user entity that the loader criteria skip.

    Raises:
        UnfilteredStatementError: Efface cannot write such a condition.
    """
    for entity in find_unfiltered(statement, user_classes):
        conditions = [each.make_condition(entity) for each in user_classes]
        condition = next((each for each in conditions if each is not None), None)
        if condition is None or (statement.is_dml and not _is_own_table(entity, user_classes)):
            table = user_classes[0].deleted_at.table.fullname
            raise UnfilteredStatementError(table, "it names a class that maps several tables")
        statement = statement.where(condition)
    return statement


def add_open_condition(statement: Any, user_class: UserClass) -> Any:
    """Return an UPDATE or DELETE of *user_class* with a condition of its own.

    Raises:
        UnfilteredStatementError: the column is in another table than the statement writes.
    """
    if user_class.top is not user_class.mapper:
        what = "it writes without the ORM, and the table of a subclass marks closed accounts"
        raise UnfilteredStatementError(user_class.deleted_at.table.fullname, what)
    return statement.where(user_class.deleted_at.is_(None))


def _find_unfiltered_in_select(
    select: Select[Any], user_classes: tuple[UserClass, ...]
) -> Iterator[Any]:
    filtered = set()
    if select.whereclause is not None:
        filtered |= set(iterate_entities(select.whereclause, user_classes, through=ColumnElement))
    mentioned: dict[Any, None] = {}
    # SQLAlchemy cannot describe "*", as in `exists().where(...)`. Nothing else is selected there.
    for described in () if "*" in select.selected_columns else select.column_descriptions:
        if described.get("entity") is not None:
            filtered.add(inspect(described["entity"]))
        mentioned |= dict.fromkeys(_iterate_entities_of([described["expr"]], user_classes))
    for child in select.get_children():
        if isinstance(child, Join):
            mentioned |= dict.fromkeys(_iterate_join_entities(child, user_classes))
    yield from (entity for entity in mentioned if entity not in filtered)


def _iterate_entities_of(elements: Any, user_classes: tuple[UserClass, ...]) -> Iterator[Any]:
    for element in elements:
        clause = element.__clause_element__() if hasattr(element, "__clause_element__") else element
        yield from iterate_entities(clause, user_classes)


def _iterate_join_entities(join: Join, user_classes: tuple[UserClass, ...]) -> Iterator[Any]:
    for side in (join.left, join.right):
        if isinstance(side, Join):
            yield from _iterate_join_entities(side, user_classes)
        elif (entity := find_entity(side, user_classes)) is not None:
            yield entity


def _iterate_froms(select: Select[Any]) -> Iterator[Any]:
    """Yield each FROM of *select*, and both sides of each join inside it."""
    pending = list(select.get_final_froms())
    while pending:
        found = pending.pop()
        yield found
        if isinstance(found, Join):
            pending += [found.left, found.right]


def _find_alias_problem(entity: Any, user_classes: tuple[UserClass, ...]) -> str | None:
    """Return the problem of an alias for a subquery without the columns that the filter needs."""
    if not entity.is_aliased_class:
        return None
    for each in user_classes:
        if entity.mapper.isa(each.mapper):
            needed = [each.deleted_at]
        elif each.includes(entity.mapper):
            needed = list(entity.mapper.base_mapper.primary_key)
        else:
            continue
        if any(entity.selectable.corresponding_column(column) is None for column in needed):
            return (
                f"an alias is of a subquery without the column {needed[0].name}, which you can add"
            )
    return None


def _find_target_problem(element: Any, user_classes: tuple[UserClass, ...]) -> str | None:
    """Return the problem of an UPDATE or DELETE through an alias, or of a subclass's table."""
    target = find_entity(element.table, user_classes)
    if target is None:
        return None
    if target.is_aliased_class:
        return "it writes through an alias and not through the class"
    if not _is_own_table(target, user_classes):
        return (
            "it writes to a table that does not mark closed accounts (write instead: "
            "update(Class.__table__).where(Class.__table__.c.id.in_(select(Class.id))))"
        )
    return None


def _is_own_table(entity: Any, user_classes: tuple[UserClass, ...]) -> bool:
    """Return whether rows of *entity* are in the table that the condition names."""
    return all(
        entity.mapper.local_table is each.top.local_table
        for each in user_classes
        if each.includes(entity.mapper)
    )
