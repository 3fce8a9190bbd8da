"""Find the connection of a session whose tables may be in several databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, update
from sqlalchemy.exc import UnboundExecutionError

from efface.errors import SeveralDatabasesError
from efface.policy.declarations import CloseRule
from efface.policy.policy import Policy

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper, Session


class SessionEngines:
    """The engines that a session has for the tables of a policy."""

    def __init__(self, policy: Policy) -> None:
        """Ask no session yet."""
        self._policy = policy
        self._arguments: dict[Table, dict[str, Any]] = {}
        self._elsewhere: str | None = None

    def connect(self, session: Session) -> Connection:
        """Return the session's connection for writes to the users' table.

        Raises:
            SeveralDatabasesError: it has another engine for another table of the policy, it
                chooses the engine by row, or a table with a rule is in another MetaData.
        """
        users = self._policy.subject_table
        if hasattr(session, "shard_chooser"):
            raise SeveralDatabasesError(users.fullname)
        if len(self._arguments) != len(self._policy.metadata.tables):
            self._arguments = dict(_arguments(self._policy))
            self._elsewhere = _with_rules_elsewhere(self._policy)
        if self._elsewhere is not None:
            raise SeveralDatabasesError(users.fullname, self._elsewhere)
        pool = session.get_bind(**self._arguments[users]).engine.pool
        for table, arguments in self._arguments.items():
            try:
                # By the pool, because an engine with other options is the same database.
                is_elsewhere = session.get_bind(**arguments).engine.pool is not pool
            except UnboundExecutionError:
                continue
            if is_elsewhere:
                raise SeveralDatabasesError(users.fullname, table.fullname)
        return session.connection(bind_arguments=self._arguments[users])


def _arguments(policy: Policy) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield for each table what `Session.execute` passes to `get_bind` for a write.

    A write, because a session can route reads to a replica. With the class, because a session can
    route by class.
    """
    mappers = _mappers()
    for table in policy.metadata.tables.values():
        yield table, {"mapper": mappers.get(table), "clause": update(table)}


def _with_rules_elsewhere(policy: Policy) -> str | None:
    """Return a table with `on_close` that no policy of this MetaData has, or None.

    Flask-SQLAlchemy and others keep the tables of each database in a MetaData of their own, while
    all classes have one base.
    """
    users = _mappers().get(policy.subject_table)
    for mapper in users.registry.mappers if users is not None else ():
        table: Any = mapper.local_table
        if getattr(table, "metadata", policy.metadata) is not policy.metadata and any(
            isinstance(rule, CloseRule) for rule in table.info.values()
        ):
            return str(table.fullname)
    return None


def _mappers() -> dict[Any, Mapper[Any]]:
    """Return the highest mapper of each table."""
    from sqlalchemy.orm import mapperlib  # noqa: PLC0415  # a session means that it is loaded

    # SQLAlchemy has no public way from a table to its classes.
    every = [m for each in mapperlib._all_registries() for m in each.mappers]  # noqa: SLF001
    found: dict[Any, Mapper[Any]] = {}
    for mapper in sorted(every, key=lambda m: len(list(m.iterate_to_root())), reverse=True):
        found[mapper.local_table] = mapper
    return found
