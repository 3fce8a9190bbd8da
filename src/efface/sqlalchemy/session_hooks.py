"""HOST · SQLAlchemy ORM: closed accounts disappear from statements, and stay loadable by relation.

Top-level ORM statements (select, count, join, bulk update and delete, `Session.get`) see open
accounts only. Relationship loads still show the author of a post, so threads keep their shape.
Core statements, ``text()`` and ``from_statement(text())`` are not covered; the page
``docs/reference/visibility.md`` goes through all doors by name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Result
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import ORMExecuteState, Session, scoped_session, sessionmaker

from efface.errors import UnfilteredStatementError, raise_problems
from efface.include_closed_block import include_closed
from efface.policy.check.deleted_at_column import deleted_at_problems
from efface.policy.policy import Policy
from efface.sqlalchemy.bulk_update import is_update_by_keys, leave_out_closed
from efface.sqlalchemy.criteria_gaps import mended, only_open
from efface.sqlalchemy.include_closed_option import is_asked_for
from efface.sqlalchemy.stale_objects import cover
from efface.sqlalchemy.statement_filter import UNCONCERNED, Statements, Treatment
from efface.sqlalchemy.user_mappers import People

__all__ = ["hide_closed", "include_closed"]


def hide_closed(target: Any, policy: Policy) -> None:
    """Hide closed accounts from the ORM statements of the sessions that *target* makes.

    Args:
        target: A sessionmaker, async_sessionmaker, scoped_session, or a session class of one's own.
        policy: Says which table holds the people and which column marks closed ones.

    Where the person's row goes and there is no tombstone, nothing is closed and nothing is hidden.

    Raises:
        TypeError: *target* is SQLAlchemy's own class, which every other session shares.
        MissingDeletedAtError: the column that marks closed accounts is not there.
        SubjectTableError: no table is marked as the one whose rows are people.
    """
    cls = _session_class(target)
    if policy.subject.deleted_at not in policy.subject_table.c:
        raise_problems(list(deleted_at_problems(policy)))
        return
    hiding = _Hiding(policy)
    event.listen(cls, "do_orm_execute", hiding.filter)
    cover(cls, hiding.statements)


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
    """The filter of one policy."""

    def __init__(self, policy: Policy) -> None:
        self.statements = Statements(policy)

    def filter(self, state: ORMExecuteState) -> Result[Any] | None:
        """Leave closed accounts out of a statement that is about to run."""
        if is_asked_for(state.execution_options):
            return None
        primary = self.statements.people_of(state.bind_mapper)
        if primary is None:
            treatment = self.statements.treatment(state.statement)
            if treatment is UNCONCERNED:
                return None
        if state.is_column_load:
            # A refresh of an object that is held already shows what is held.
            return None
        if state.is_relationship_load:
            # selectinload and subqueryload copy their parent's options, ours among them.
            state.statement = self.statements.without_options(state.statement)
            return None
        if primary is not None and is_update_by_keys(state):
            return leave_out_closed(state, primary)
        # The option first, because the key that it gives is the one the statement is run by:
        # making keys is most of what hiding costs.
        statement: Any = state.statement
        if primary is not None:
            statement = self.statements.with_option(statement, primary)
            treatment = self.statements.treatment(statement)
        others = [each.option for each in treatment.people if each is not primary]
        if treatment is not UNCONCERNED:
            statement = statement.options(*others) if others else statement
            self._run_instead(state, statement, treatment, primary)
        return None

    def _run_instead(
        self, state: ORMExecuteState, statement: Any, treatment: Treatment, primary: People | None
    ) -> None:
        if treatment.problem is not None:
            table = treatment.people[0].deleted_at.table.fullname
            raise UnfilteredStatementError(table, treatment.problem)
        if treatment.is_mended:
            statement = mended(statement, treatment.people)
        if primary is not None and state.execution_options.get("dml_strategy") == "core_only":
            # Written as Core would, without any criteria.
            statement = only_open(statement, primary)
        state.statement = statement
