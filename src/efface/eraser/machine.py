"""The stages of one policy, compiled for one driver, and whether its database is ready."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from efface.errors import MissingTablesError, MissingTombstoneError, Problem, raise_problems
from efface.errors.database import refused
from efface.evidence.residue import Residue
from efface.graph import build
from efface.plan.compiled import Statement
from efface.plan.program import Program
from efface.plan.table import TableProgram
from efface.policy.actions import Tokens
from efface.policy.check import check
from efface.policy.rules import Policy
from efface.store.closings import Closings
from efface.store.tables import metadata


class Machine:
    """Everything that is compiled once: for one subject at a time, and for many at once."""

    def __init__(self, policy: Policy, dialect: Dialect, tokens: Tokens) -> None:
        """Build the stages.

        Raises:
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        raise_problems([problem for problem in check(policy) if problem.level == "error"])
        self._graph, problems = build(policy)
        raise_problems([problem for problem in problems if problem.level == "error"])
        self._dialect, self._tokens = dialect, tokens
        self.program = Program(self._graph, dialect, tokens)
        self.closings = Closings(dialect)
        self.residue = Residue(self.program, tuple(metadata.tables.values()))

    @cached_property
    def many(self) -> Program:
        """Return the program for many subjects at once."""
        return Program(self._graph, self._dialect, self._tokens, many=True)

    @cached_property
    def residue_of_many(self) -> Residue:
        """Return the search for many subjects at once."""
        return Residue(self.many, tuple(metadata.tables.values()))

    def statements(self) -> Iterator[Statement]:
        """Yield what a closing runs, in order, for a reviewer to read."""
        program = self.program
        yield program.lock
        for table in program.credentials:
            yield from _statements(table)
        if program.tombstone:
            yield program.mark
        for table in (*program.others, program.own, *program.owned):
            yield from _statements(table)


def _statements(table: TableProgram) -> Iterator[Statement]:
    if table.owned:
        yield table.keys
    yield from (statement for _, statement in table.captures)
    yield from (statement for _, statement in table.kept)
    if table.edited:
        yield table.candidates(1, locked=True)
        yield table.rewrite
    yield from (statement for statement in (table.delete, table.update) if statement is not None)


def check_database(connection: Connection, program: Program) -> None:
    """Make sure that the database has what a closing needs besides the application's tables.

    Raises:
        MissingTablesError: our tables are not there.
        MissingTombstoneError: the model has the tombstone and the database has not.
        StatementError: the database refused to answer.
    """
    try:
        _look(connection, program)
    except DBAPIError as error:
        # As everywhere, without the driver's words.
        is_lost, cause = error.connection_invalidated, error.orig
        raise refused(
            program.table.fullname,
            "describe",
            cause if isinstance(cause, Exception) else error,
            is_lost=is_lost,
            is_conflict=False,
        ) from None


def _look(connection: Connection, program: Program) -> None:
    inspector = inspect(connection)
    missing = [name for name in metadata.tables if not inspector.has_table(name)]
    if missing:
        raise MissingTablesError(missing)
    table, tombstone = program.table, program.tombstone
    if tombstone is None or not inspector.has_table(table.name, schema=table.schema):
        return
    columns = {c["name"] for c in inspector.get_columns(table.name, schema=table.schema)}
    if tombstone not in columns:
        text = f"The database has no column {tombstone} yet; the model has. In a migration:"
        paste = f'op.add_tombstone("{table.name}")    # after: import efface.alembic'
        raise MissingTombstoneError([Problem("E105", table.fullname, tombstone, text, paste)])
