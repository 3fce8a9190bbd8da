"""Hide closed accounts from a bulk UPDATE by primary key.

SQLAlchemy accepts no condition for such a statement. Efface removes the parameters of closed
accounts from the list instead.
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
from efface.sqlalchemy.user_mappers import UserClass

KEYS_PER_QUERY = 500


def is_update_by_keys(state: ORMExecuteState) -> bool:
    """Return whether each parameter of the statement contains the primary key of its row."""
    if not state.is_update or not state.is_executemany or state.bind_mapper is None:
        return False
    parameters: Any = state.parameters
    return all(set(_key_names(state)) <= row.keys() for row in parameters)


def remove_closed_parameters(state: ORMExecuteState, user_class: UserClass) -> Result[Any] | None:
    """Remove the parameters of closed accounts from the statement, with one more query per batch.

    The query locks the rows, so no account can close between the query and the UPDATE.

    Returns:
        An empty result if no parameters remain, else None. Then SQLAlchemy runs the statement.
    """
    names = _key_names(state)
    rows: Any = state.parameters
    closed = set(
        _find_closed_keys(state, user_class, [tuple(row[name] for name in names) for row in rows])
    )
    state.parameters = [row for row in rows if _as_text(row[name] for name in names) not in closed]
    # Without parameters SQLAlchemy would run an UPDATE without a condition, over every row.
    return None if state.parameters else IteratorResult(SimpleResultMetaData([]), iter([]))


def _key_names(state: ORMExecuteState) -> list[str]:
    mapper: Any = state.bind_mapper
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _find_closed_keys(
    state: ORMExecuteState, user_class: UserClass, keys: list[tuple[Any, ...]]
) -> Iterator[tuple[str, ...]]:
    """Lock the rows with these primary keys, and yield the keys of closed accounts."""
    table = bare(user_class.deleted_at.table)
    key = [table.c[column.name] for column in user_class.deleted_at.table.primary_key]
    deleted_at = table.c[user_class.deleted_at.name]
    # Two transactions that lock overlapping rows in different orders can deadlock.
    keys = sorted(keys)
    connection = state.session.connection(bind_arguments={"mapper": user_class.mapper})
    for start in range(0, len(keys), KEYS_PER_QUERY):
        is_in_batch = tuple_(*key).in_(keys[start : start + KEYS_PER_QUERY])
        # Select the timestamp and not `deleted_at IS NOT NULL`: on SQLite the lock is an UPDATE
        # with RETURNING, and there the expression is true for each column that the UPDATE writes.
        columns: list[ColumnElement[Any]] = [*key, deleted_at]
        query = lock(
            connection.dialect,
            table,
            is_in_batch,
            columns=columns,
            key=[*key],
            no_op_column=deleted_at,
        )
        for *row, closed_at in connection.execute(query):
            if closed_at is not None:
                yield _as_text(row)


def _as_text(key: Any) -> tuple[str, ...]:
    """Return *key* as text, because the database may return another type than the caller passed."""
    return tuple(map(str, key))
