"""An UPDATE by a list of keys: no condition can be given to it, so the list is made shorter.

The rows are locked while they are looked at: a closing in between would be written over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.engine import IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.orm import ORMExecuteState

from efface.plan.path_sql import bare
from efface.plan.row_locks import lock
from efface.sqlalchemy.user_mappers import People

KEYS_AT_ONCE = 500


def is_update_by_keys(state: ORMExecuteState) -> bool:
    """Return whether each of the statement's parameters has the key of the row it changes."""
    if not state.is_update or not state.is_executemany or state.bind_mapper is None:
        return False
    parameters: Any = state.parameters
    return all(set(_names(state)) <= row.keys() for row in parameters)


def leave_out_closed(state: ORMExecuteState, people: People) -> Result[Any] | None:
    """Take the parameters for closed accounts off the list, with one statement more.

    Returns:
        The result where nothing is left to do, else None.
    """
    names = _names(state)
    rows: Any = state.parameters
    closed = set(_closed(state, people, [tuple(row[name] for name in names) for row in rows]))
    state.parameters = [row for row in rows if _text(row[name] for name in names) not in closed]
    # Without any parameters the statement would write every row there is.
    return None if state.parameters else IteratorResult(SimpleResultMetaData([]), iter([]))


def _names(state: ORMExecuteState) -> list[str]:
    mapper: Any = state.bind_mapper
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _closed(
    state: ORMExecuteState, people: People, keys: list[tuple[Any, ...]]
) -> Iterator[tuple[str, ...]]:
    table = bare(people.deleted_at.table)
    key = [table.c[column.name] for column in people.deleted_at.table.primary_key]
    deleted_at = table.c[people.deleted_at.name]
    # In one order, so that two lists that overlap do not wait for each other.
    keys = sorted(keys)
    connection = state.session.connection(bind_arguments={"mapper": people.mapper})
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = tuple_(*key).in_(keys[start : start + KEYS_AT_ONCE])
        # The moment itself: SQLite's RETURNING calls every column that was written "not null".
        wanted: list[ColumnElement[Any]] = [*key, deleted_at]
        query = lock(
            connection.dialect, table, some, columns=wanted, key=[*key], no_op_column=deleted_at
        )
        for *row, closed_at in connection.execute(query):
            if closed_at is not None:
                yield _text(row)


def _text(key: Any) -> tuple[str, ...]:
    """Return a *key* as text: it may come back in another type than the application gave it in."""
    return tuple(map(str, key))
