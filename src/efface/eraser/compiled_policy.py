"""Compile a policy for one driver, and check that its database is ready."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from efface.errors import MissingDeletedAtError, MissingTablesError, Problem, raise_problems
from efface.errors.database_refusals import refused
from efface.evidence.database_search import DatabaseSearch
from efface.graph.graph import build
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.policy_statements import PolicyStatements
from efface.plan.table_statements import RandomSource, TableStatements
from efface.policy.check import check
from efface.policy.policy import Policy
from efface.store.closing_records import Closings
from efface.store.efface_tables import metadata


class CompiledPolicy:
    """A checked policy and its statements for one driver, for one subject and for a batch."""

    def __init__(self, policy: Policy, dialect: Dialect, random_source: RandomSource) -> None:
        """Check *policy*, build its graph and prepare its statements.

        Raises:
            PolicyError: the policy cannot be carried out, or a column has no rule.
        """
        # Warnings do not stop a closing; `efface check` and `assert_policy_complete` report them.
        raise_problems([problem for problem in check(policy) if problem.level == "error"])
        self._graph, problems = build(policy)
        raise_problems([problem for problem in problems if problem.level == "error"])
        self._dialect, self._random_source = dialect, random_source
        self.single = PolicyStatements(self._graph, dialect, random_source)
        self.closings = Closings(dialect)
        self.search = DatabaseSearch(self.single, tuple(metadata.tables.values()))

    @cached_property
    def batch(self) -> PolicyStatements:
        """Return the statements for a batch of subjects."""
        return PolicyStatements(self._graph, self._dialect, self._random_source, batch=True)

    @cached_property
    def batch_search(self) -> DatabaseSearch:
        """Return the search for a batch of subjects."""
        return DatabaseSearch(self.batch, tuple(metadata.tables.values()))

    def closing_statements(self) -> Iterator[CompiledStatement]:
        """Yield the statements of a closure in their order."""
        statements = self.single
        yield statements.lock
        for table in statements.credentials:
            yield from _statements(table)
        if statements.deleted_at:
            yield statements.set_deleted_at
        for table in (*statements.other_tables, statements.subject_row, *statements.owned_tables):
            yield from _statements(table)


class CompiledPolicies:
    """The compiled forms of one policy, one for each driver in use."""

    def __init__(self, policy: Policy, random_source: RandomSource) -> None:
        """Compile nothing yet."""
        self._policy, self._random_source = policy, random_source
        self._by_driver: dict[tuple[type, str, int], CompiledPolicy] = {}
        self._checked: WeakSet[Engine] = WeakSet()

    def for_connection(self, connection: Connection) -> CompiledPolicy:
        """Return the compiled policy for the driver of *connection*, and check its database once.

        Raises:
            PolicyError: the policy cannot be carried out, or a column has no rule.
            MissingTablesError: Efface's table is missing.
            MissingDeletedAtError: the database has no ``deleted_at`` column.
            StatementError: the database refused to describe its tables.
        """
        dialect = connection.dialect
        # A model imported later adds a table without a rule, so the number is part of the key.
        key = (type(dialect), dialect.paramstyle, len(self._policy.metadata.tables))
        compiled = self._by_driver.get(key)
        if compiled is None:
            compiled = CompiledPolicy(self._policy, dialect, self._random_source)
            self._by_driver[key] = compiled
        if connection.engine not in self._checked:
            check_database(connection, compiled.single)
            self._checked.add(connection.engine)
        return compiled


def _statements(table: TableStatements) -> Iterator[CompiledStatement]:
    if table.is_owned:
        yield table.keys
    yield from (statement for _, statement in table.identifier_queries)
    yield from (statement for _, statement in table.retained_counts)
    if table.edited:
        yield table.candidates(1, locked=True)
        yield table.rewrite
    yield from (statement for statement in (table.delete, table.update) if statement is not None)


def check_database(connection: Connection, statements: PolicyStatements) -> None:
    """Check that the database has Efface's table and the ``deleted_at`` column.

    Raises:
        MissingTablesError: Efface's table is missing.
        MissingDeletedAtError: the model has the ``deleted_at`` column and the database does not.
        StatementError: the database refused to describe its tables.
    """
    try:
        _check_tables(connection, statements)
    except DBAPIError as error:
        # No cause and no text of the driver, as in `Cursor`.
        is_lost, cause = error.connection_invalidated, error.orig
        raise refused(
            statements.table.fullname,
            "describe",
            cause if isinstance(cause, Exception) else error,
            is_lost=is_lost,
            is_conflict=False,
        ) from None


def _check_tables(connection: Connection, statements: PolicyStatements) -> None:
    inspector = inspect(connection)
    missing = [name for name in metadata.tables if not inspector.has_table(name)]
    if missing:
        raise MissingTablesError(missing)
    table, deleted_at = statements.table, statements.deleted_at
    if deleted_at is None or not inspector.has_table(table.name, schema=table.schema):
        return
    columns = {c["name"] for c in inspector.get_columns(table.name, schema=table.schema)}
    if deleted_at not in columns:
        text = f"The model has the column {deleted_at}, but the database does not. In a migration:"
        paste = f'op.add_deleted_at("{table.name}")    # after: import efface.alembic'
        raise MissingDeletedAtError([Problem("E105", table.fullname, deleted_at, text, paste)])
