"""HOST · SQLAlchemy ORM: closed accounts disappear from statements, and stay loadable by relation.

Top-level ORM statements (select, count, join, bulk update and delete, `Session.get`) see open
accounts only. Relationship loads still show the author of a post, so threads keep their shape.
Core statements, ``text()`` and ``from_statement(text())`` are not covered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import (
    Mapper,
    ORMExecuteState,
    Session,
    registry,
    scoped_session,
    sessionmaker,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors

from efface.policy.rules import Policy


class _Block:
    """One `include_closed` block; a task that outlives it finds it ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_block: ContextVar[_Block | None] = ContextVar("efface_include_closed", default=None)


@contextmanager
def include_closed() -> Iterator[None]:
    """Show closed accounts to the statements of this block, and of tasks started inside it.

    For one statement use ``.execution_options(include_closed=True)``.
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        # A task started inside holds a copy of the context: it must not see on past the end.
        block.is_open = False
        _block.reset(token)


def hide_closed(target: Any, policy: Policy) -> None:
    """Hide closed accounts from the ORM statements of the sessions that *target* makes.

    Args:
        target: A sessionmaker, async_sessionmaker, scoped_session, or a session class of one's own.
        policy: Says which table holds the people and which column marks closed ones.

    Raises:
        TypeError: *target* is SQLAlchemy's own class, which every other session shares.
    """
    cls = _session_class(target)
    hiding = _Hiding(policy)
    event.listen(cls, "do_orm_execute", hiding.filter)
    original = cls.get

    def get(self: Session, entity: Any, ident: Any, **options: Any) -> Any:
        # An object that the session holds already is answered without a statement.
        found = original(self, entity, ident, **options)
        asked = (options.get("execution_options") or {}).get("include_closed")
        return None if found is not None and not asked and hiding.hides(found) else found

    get.__doc__ = original.__doc__
    cls.get = get  # type: ignore[method-assign]  # the one door without an event


def _session_class(target: Any) -> type[Session]:
    if isinstance(target, (scoped_session, async_scoped_session)):
        return _session_class(target.session_factory)
    if isinstance(target, sessionmaker):
        return target.class_
    if isinstance(target, async_sessionmaker):
        chosen = target.kw.get("sync_session_class") or target.class_.sync_session_class
        own = type(chosen.__name__, (chosen,), {})
        target.configure(sync_session_class=own)
        return own
    if isinstance(target, type) and issubclass(target, AsyncSession) and target is not AsyncSession:
        target.sync_session_class = type("Session", (target.sync_session_class,), {})
        return target.sync_session_class
    if isinstance(target, type) and issubclass(target, Session) and target is not Session:
        return target
    raise TypeError(
        "hide_closed takes a sessionmaker, async_sessionmaker, scoped_session or a Session class "
        "of your own: Session = sessionmaker(engine); hide_closed(Session, policy)"
    )


class _Hiding:
    """The filter of one policy, and the mapped classes it belongs to."""

    def __init__(self, policy: Policy) -> None:
        self._table = policy.subject_table
        self._column = policy.subject.tombstone
        self._criteria: dict[registry, list[tuple[type, str, Any]]] = {}

    def filter(self, state: ORMExecuteState) -> None:
        """Add the filter to a statement, or take it off where it was inherited."""
        if state.is_column_load or self._is_asked_for(state):
            # A refresh of an object that is held already shows what is held.
            return
        criteria = [option for _, _, option in self._known(state)]
        if state.is_relationship_load:
            # selectinload and subqueryload copy their parent's options, ours among them.
            statement: Any = state.statement
            kept = tuple(o for o in statement._with_options if o not in criteria)  # noqa: SLF001  # no public way to remove an option
            if len(kept) < len(statement._with_options):  # noqa: SLF001  # as above
                state.statement = statement._generate()  # noqa: SLF001  # as above
                state.statement._with_options = kept  # noqa: SLF001  # as above
        elif state.is_select or state.is_update or state.is_delete:
            state.statement = state.statement.options(*criteria)

    def hides(self, found: object) -> bool:
        """Return whether *found* is a closed account that must not be shown here."""
        if _is_open(_block.get()):
            return False
        for mapped in self._criteria.values():
            for cls, attribute, _ in mapped:
                if isinstance(found, cls):
                    return getattr(found, attribute) is not None
        return False

    def _is_asked_for(self, state: ORMExecuteState) -> bool:
        return bool(state.execution_options.get("include_closed")) or _is_open(_block.get())

    def _known(self, state: ORMExecuteState) -> list[tuple[type, str, Any]]:
        """Return class, attribute and filter of every mapping of the subject's table."""
        for mapper in _mappers(state):
            if mapper.registry not in self._criteria:
                found = list(self._mapped(mapper.registry))
                if found:
                    self._criteria[mapper.registry] = found
        return [each for mapped in self._criteria.values() for each in mapped]

    def _mapped(self, mappings: registry) -> Iterator[tuple[type, str, Any]]:
        for mapper in mappings.mappers:
            inherits_it = mapper.inherits is not None and self._table in mapper.inherits.tables
            if self._table in mapper.tables and not inherits_it:
                attribute = mapper.get_property_by_column(self._table.c[self._column]).key
                is_open = getattr(mapper.class_, attribute).is_(None)
                yield (
                    mapper.class_,
                    attribute,
                    with_loader_criteria(
                        mapper.class_, is_open, include_aliases=True, propagate_to_loaders=False
                    ),
                )


def _is_open(block: _Block | None) -> bool:
    return block is not None and block.is_open


def _mappers(state: ORMExecuteState) -> Iterator[Mapper[Any]]:
    found = state.all_mappers
    if found:
        yield from found
        return
    # `select(exists().where(User.id == 1))` names a class only inside.
    statement: Any = state.statement
    for element in visitors.iterate(statement):
        mapper = getattr(element, "_annotations", {}).get("parentmapper")
        if mapper is not None:
            yield mapper
