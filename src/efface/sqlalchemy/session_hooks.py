"""INTEGRATION · SQLAlchemy ORM: hide closed accounts from the statements of your sessions.

Top-level ORM statements (select, count, join, bulk update and delete, `Session.get`) skip closed
accounts. Relationships still load the author of a post, so threads keep their shape. Core
statements, ``text()`` and ``from_statement(text())`` are not filtered. The page
``docs/reference/visibility.md`` lists each query with its result.
"""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Result
from sqlalchemy.orm import ORMExecuteState, Session, scoped_session, sessionmaker

from efface.errors import SessionTargetError, UnfilteredStatementError, raise_problems
from efface.include_closed_block import include_closed
from efface.policy.check.deleted_at_column import deleted_at_problems
from efface.policy.column_types import by_name
from efface.policy.policy import Policy
from efface.sqlalchemy.bulk_update import is_update_by_keys, remove_closed_parameters
from efface.sqlalchemy.criteria_gaps import add_conditions, add_open_condition
from efface.sqlalchemy.include_closed_option import is_requested
from efface.sqlalchemy.stale_objects import wrap_session_methods
from efface.sqlalchemy.statement_filter import NO_REWRITE, Rewrite, StatementFilter
from efface.sqlalchemy.user_mappers import UserClass

__all__ = ["hide_closed", "include_closed"]


def hide_closed(target: Any, policy: Policy) -> None:
    """Hide closed accounts from the ORM statements of the sessions that *target* makes.

    Call it once, where you make the sessions. Afterwards `include_closed` shows closed accounts
    again, for a block or for one statement. If the policy deletes the user's row, no closed account
    keeps a row, so there is nothing to hide.

    Args:
        target: A sessionmaker, async_sessionmaker, scoped_session, or your own session class.
        policy: The policy, which names the user table and its ``deleted_at`` column.

    Raises:
        SessionTargetError: *target* is SQLAlchemy's own class, which all other sessions share.
        MissingDeletedAtError: the user table does not have the column.
        SubjectTableError: the policy has no user table, or several.

    Example:
        Session = sessionmaker(engine)
        hide_closed(Session, policy)
        with Session() as session:
            session.scalars(select(User)).all()  # open accounts only
            session.scalars(select(User).execution_options(include_closed=True)).all()  # all
    """
    cls = _session_class(target)
    if policy.subject.deleted_at not in by_name(policy.subject_table):
        raise_problems(list(deleted_at_problems(policy)))
        return
    session_filter = _SessionFilter(policy)
    event.listen(cls, "do_orm_execute", session_filter.filter)
    wrap_session_methods(cls, session_filter.statement_filter)


def _session_class(target: Any) -> type[Session]:
    """Return the session class that *target* makes, or a subclass that no other sessions share."""
    if isinstance(target, scoped_session):
        return _session_class(target.session_factory)
    if isinstance(target, sessionmaker):
        return target.class_
    if isinstance(target, type) and issubclass(target, Session) and target is not Session:
        return target
    session_class = _class_of_async_sessions(target)
    if session_class is None:
        raise SessionTargetError
    return session_class


def _class_of_async_sessions(target: Any) -> type[Session] | None:
    """Return the synchronous class behind an asynchronous *target*, or None for another target."""
    # Importing this module needs greenlet, which synchronous applications don't have. If *target*
    # is asynchronous, the application has imported it already.
    module: Any = sys.modules.get("sqlalchemy.ext.asyncio")
    if module is None:
        return None
    if isinstance(target, module.async_scoped_session):
        return _session_class(target.session_factory)
    session_class: type[Session]
    if isinstance(target, module.async_sessionmaker):
        # Events belong to the class, and every AsyncSession shares one synchronous class by
        # default. A subclass keeps the filter away from the application's other sessions.
        base = target.kw.get("sync_session_class") or target.class_.sync_session_class
        session_class = type(base.__name__, (base,), {})
        target.configure(sync_session_class=session_class)
        return session_class
    async_session: Any = module.AsyncSession
    if isinstance(target, type) and issubclass(target, async_session):
        own: Any = target
        if own is not async_session:
            session_class = own.sync_session_class = type("Session", (own.sync_session_class,), {})
            return session_class
    return None


class _SessionFilter:
    """Filter the statements of the sessions for one policy."""

    def __init__(self, policy: Policy) -> None:
        self.statement_filter = StatementFilter(policy)

    def filter(self, state: ORMExecuteState) -> Result[Any] | None:
        """Remove closed accounts from a statement that is about to run."""
        if is_requested(state.execution_options):
            return None
        user_class = self.statement_filter.find_user_class(state.bind_mapper)
        if user_class is None:
            rewrite = self.statement_filter.find_rewrite(state.statement)
            if rewrite is NO_REWRITE:
                return None
        if state.is_column_load:
            # The session has the object already. Without its row a refresh would raise an error.
            return None
        if state.is_relationship_load:
            # selectinload and subqueryload copy the options of their parent statement, so they
            # would hide the author of a post.
            state.statement = self.statement_filter.without_options(state.statement)
            return None
        if user_class is not None and is_update_by_keys(state):
            return remove_closed_parameters(state, user_class)
        # Add the option first. SQLAlchemy runs the statement by the cache key with this option, and
        # Efface looks up the rewrite by the same key. Making keys is most of the filter's cost.
        statement: Any = state.statement
        if user_class is not None:
            statement = self.statement_filter.with_option(statement, user_class)
            rewrite = self.statement_filter.find_rewrite(statement)
        others = [each.option for each in rewrite.user_classes if each is not user_class]
        if rewrite is not NO_REWRITE:
            statement = statement.options(*others) if others else statement
            self._rewrite_statement(state, statement, rewrite, user_class)
        return None

    def _rewrite_statement(
        self, state: ORMExecuteState, statement: Any, rewrite: Rewrite, user_class: UserClass | None
    ) -> None:
        if rewrite.problem is not None:
            table = rewrite.user_classes[0].deleted_at.table.fullname
            raise UnfilteredStatementError(table, rewrite.problem)
        if rewrite.needs_conditions:
            statement = add_conditions(statement, rewrite.user_classes)
        if user_class is not None and state.execution_options.get("dml_strategy") == "core_only":
            # SQLAlchemy applies no loader criteria to a statement that runs as Core runs it.
            statement = add_open_condition(statement, user_class)
        state.statement = statement
