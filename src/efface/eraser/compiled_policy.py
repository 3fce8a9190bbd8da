"""Compile a policy for one driver, and check that its database is ready."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sqlalchemy import Connection
from sqlalchemy.engine import Dialect

from efface.eraser.known_databases import KnownDatabases
from efface.errors import raise_problems
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
        self.databases = KnownDatabases(policy)
        self.single = PolicyStatements(self._graph, dialect, random_source)
        self.closings = Closings(dialect)
        self.search = DatabaseSearch(
            self.single, tuple(metadata.tables.values()), self.databases.schema
        )

    @cached_property
    def batch(self) -> PolicyStatements:
        """Return the statements for a batch of subjects."""
        return PolicyStatements(self._graph, self._dialect, self._random_source, batch=True)

    @cached_property
    def batch_search(self) -> DatabaseSearch:
        """Return the search for a batch of subjects."""
        return DatabaseSearch(self.batch, tuple(metadata.tables.values()), self.databases.schema)

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
        compiled.databases.require_tables(connection)
        return compiled


def _statements(table: TableStatements) -> Iterator[CompiledStatement]:
    if table.is_owned:
        yield table.keys
    yield from (statement for _, statement in table.identifier_queries)
    yield from (statement for _, statement in table.retained_counts)
    if table.edited:
        yield table.candidates(1, locked=True)
        yield table.rewrite.statement
    if table.write_owned is not None and table.is_owned:
        yield table.write_owned.statement
    every = (table.lock_rows, *table.releases, table.delete, table.update)
    yield from (statement for statement in every if statement is not None)
