"""The stages of one policy, compiled for one driver, and whether its database is ready."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sqlalchemy import Connection, inspect
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
    """Everything that is compiled once: for one subject at a time, and for many at once."""

    def __init__(self, policy: Policy, dialect: Dialect, random_source: RandomSource) -> None:
        """Build the stages.

        Raises:
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        raise_problems([problem for problem in check(policy) if problem.level == "error"])
        self._graph, problems = build(policy)
        raise_problems([problem for problem in problems if problem.level == "error"])
        self._dialect, self._random_source = dialect, random_source
        self.single = PolicyStatements(self._graph, dialect, random_source)
        self.closings = Closings(dialect)
        self.search = DatabaseSearch(self.single, tuple(metadata.tables.values()))

    @cached_property
    def batch(self) -> PolicyStatements:
        """Return the program for many subjects at once."""
        return PolicyStatements(self._graph, self._dialect, self._random_source, batch=True)

    @cached_property
    def batch_search(self) -> DatabaseSearch:
        """Return the search for many subjects at once."""
        return DatabaseSearch(self.batch, tuple(metadata.tables.values()))

    def closing_statements(self) -> Iterator[CompiledStatement]:
        """Yield what a closing runs, in order, for a reviewer to read."""
        statements = self.single
        yield statements.lock
        for table in statements.credentials:
            yield from _statements(table)
        if statements.deleted_at:
            yield statements.set_deleted_at
        for table in (*statements.other_tables, statements.subject_row, *statements.owned_tables):
            yield from _statements(table)


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
    """Make sure that the database has what a closing needs besides the application's tables.

    Raises:
        MissingTablesError: our tables are not there.
        MissingDeletedAtError: the model has the tombstone and the database has not.
        StatementError: the database refused to answer.
    """
    try:
        _check_tables(connection, statements)
    except DBAPIError as error:
        # As everywhere, without the driver's words.
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
        text = f"The database has no column {deleted_at} yet; the model has. In a migration:"
        paste = f'op.add_deleted_at("{table.name}")    # after: import efface.alembic'
        raise MissingDeletedAtError([Problem("E105", table.fullname, deleted_at, text, paste)])
