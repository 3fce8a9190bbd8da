"""Objects that a session holds: it answers without a statement, so no event tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from efface.errors import ClosedMergeError
from efface.include_closed_block import include_closed
from efface.sqlalchemy.include_closed_option import OPTION, is_asked_for
from efface.sqlalchemy.statement_filter import Statements


def cover(cls: type[Session], statements: Statements) -> None:
    """Make the sessions of *cls* hide closed accounts that they hold, and not merge into them."""
    # Private, and the one place where get(), get_one() and Query.get() meet.
    get_impl: Any = cls._get_impl
    merge, merge_all = cls.merge, cls.merge_all

    def hiding_get(session: Session, entity: Any, *args: Any, **options: Any) -> Any:
        found = get_impl(session, entity, *args, **options)
        if found is None:
            return None
        people = statements.people_of(inspect(found).mapper)
        if people is None or not people.is_closed(found, session):
            return found
        return found if is_asked_for(_options(session, options)) else None

    def hiding_merge(session: Session, instance: Any, **options: Any) -> Any:
        _held = _refuse(statements, session, [instance], **options)
        with include_closed():
            return merge(session, instance, **options)

    def hiding_merge_all(session: Session, instances: Iterable[Any], **options: Any) -> Any:
        given = list(instances)
        _held = _refuse(statements, session, given, **options)
        with include_closed():
            return merge_all(session, given, **options)

    for original, replacement in (
        (get_impl, hiding_get),
        (merge, hiding_merge),
        (merge_all, hiding_merge_all),
    ):
        replacement.__doc__ = original.__doc__
        setattr(cls, original.__name__, replacement)


def _options(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    return {**session.execution_options, **(given.get("execution_options") or {})}


def _refuse(
    statements: Statements,
    session: Session,
    instances: list[Any],
    *,
    load: bool = True,
    **_: Any,
) -> list[Any]:
    """Refuse to write a person's values back into the row of a closed account.

    What is given, or comes along with it by cascade, and is itself marked as closed, was loaded as
    closed: it holds nothing that the row does not.

    Returns:
        The rows that were looked at, so that the session holds them until they are merged.

    Raises:
        ClosedMergeError: an object from before the closing is given.
    """
    rows: list[Any] = []
    if not load or is_asked_for(session.execution_options):
        return rows
    for given in {id(each): each for each in _merged(instances)}.values():
        state: Any = inspect(given)
        people = statements.people_of(state.mapper)
        if people is None or given in session or people.is_marked(state):
            continue
        key = state.identity or state.mapper.primary_key_from_instance(given)
        if None in key:
            continue
        with session.no_autoflush:
            row = session.get(state.mapper, key, execution_options={OPTION: True})
            if row is not None and people.is_closed(row, session):
                raise ClosedMergeError(people.deleted_at.table.fullname)
        rows.append(row)
    return rows


def _merged(instances: list[Any]) -> Iterator[Any]:
    """Yield what `merge` will visit: the objects and those that come along by cascade."""
    for instance in instances:
        yield instance
        state: Any = inspect(instance)
        yield from (found[0] for found in state.mapper.cascade_iterator("merge", state))
