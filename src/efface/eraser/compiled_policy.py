"""The stages of one policy, compiled for one driver, and whether its database is ready."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

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
        self.databases = KnownDatabases(policy)
        self.single = PolicyStatements(self._graph, dialect, random_source)
        self.closings = Closings(dialect)
        self.search = DatabaseSearch(self.single, tuple(metadata.tables.values()))

    @cached_property
    def batch(self) -> PolicyStatements:
        """Return the program for many subjects at once."""
        return PolicyStatements(self._graph, self._dialect, self._random_source, many=True)

    @cached_property
    def batch_search(self) -> DatabaseSearch:
        """Return the search for many subjects at once."""
        return DatabaseSearch(self.batch, tuple(metadata.tables.values()))

    def in_order(self) -> Iterator[CompiledStatement]:
        """Yield what a closing runs, in order, for a reviewer to read."""
        statements = self.single
        yield statements.lock
        for table in statements.credentials:
            yield from _statements(table)
        if statements.deleted_at:
            yield statements.rule
        for table in (*statements.others, statements.own, *statements.owned):
            yield from _statements(table)


def _statements(table: TableStatements) -> Iterator[CompiledStatement]:
    if table.owned:
        yield table.keys
    yield from (statement for _, statement in table.captures)
    yield from (statement for _, statement in table.kept)
    if table.edited:
        yield table.candidates(1, locked=True)
        yield table.rewrite
    yield from (statement for statement in (table.delete, table.update) if statement is not None)
