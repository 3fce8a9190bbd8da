"""Hide closed accounts among the objects that a session has already loaded.

The session returns such an object without a statement, so no event reaches the filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from efface.errors import ClosedMergeError
from efface.include_closed_block import include_closed
from efface.sqlalchemy.include_closed_option import OPTION, is_requested
from efface.sqlalchemy.statement_filter import StatementFilter


def wrap_session_methods(cls: type[Session], statement_filter: StatementFilter) -> None:
    """Make sessions of *cls* hide loaded closed accounts, and refuse to merge into them."""
    # Private, but get(), get_one() and Query.get() all call it, and nothing else does.
    get_impl: Any = cls._get_impl
    merge, merge_all = cls.merge, cls.merge_all

    def get_open(session: Session, entity: Any, *args: Any, **options: Any) -> Any:
        found = get_impl(session, entity, *args, **options)
        if found is None:
            return None
        user_class = statement_filter.find_user_class(inspect(found).mapper)
        if user_class is None or not user_class.is_closed(found, session):
            return found
        return found if is_requested(_options(session, options)) else None

    def merge_open(session: Session, instance: Any, **options: Any) -> Any:
        # The name keeps the rows alive until the merge: the session has only weak references.
        _looked_up = _refuse_stale(statement_filter, session, [instance], **options)
        with include_closed():
            return merge(session, instance, **options)

    def merge_all_open(session: Session, instances: Iterable[Any], **options: Any) -> Any:
        given = list(instances)
        _looked_up = _refuse_stale(statement_filter, session, given, **options)
        with include_closed():
            return merge_all(session, given, **options)

    for original, replacement in (
        (get_impl, get_open),
        (merge, merge_open),
        (merge_all, merge_all_open),
    ):
        replacement.__doc__ = original.__doc__
        setattr(cls, original.__name__, replacement)


def _options(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    return {**session.execution_options, **(given.get("execution_options") or {})}


def _refuse_stale(
    statement_filter: StatementFilter,
    session: Session,
    instances: list[Any],
    *,
    load: bool = True,
    **_: Any,
) -> list[Any]:
    """Refuse to write a user's values back into the row of a closed account.

    An object that is itself loaded as closed passes, because it has no value that the row lacks.
    The same is true of objects that SQLAlchemy merges by cascade.

    Returns:
        The rows that were read. Keep them until the merge, so that the session finds them again.

    Raises:
        ClosedMergeError: an object was loaded before its account was closed.
    """
    rows: list[Any] = []
    if not load or is_requested(session.execution_options):
        return rows
    for given in {id(each): each for each in _iterate_merged(instances)}.values():
        state: Any = inspect(given)
        user_class = statement_filter.find_user_class(state.mapper)
        if user_class is None or given in session or user_class.is_loaded_as_closed(state):
            continue
        key = state.identity or state.mapper.primary_key_from_instance(given)
        if None in key:
            continue
        # A flush in the middle of a merge would write values before they are checked.
        with session.no_autoflush:
            row = session.get(state.mapper, key, execution_options={OPTION: True})
            if row is not None and user_class.is_closed(row, session):
                raise ClosedMergeError(user_class.deleted_at.table.fullname)
        rows.append(row)
    return rows


def _iterate_merged(instances: list[Any]) -> Iterator[Any]:
    """Yield the objects that `merge` visits: *instances* and what it reaches by cascade."""
    for instance in instances:
        yield instance
        state: Any = inspect(instance)
        yield from (found[0] for found in state.mapper.cascade_iterator("merge", state))
