"""What Efface knows of each database: whether it is ready, and what has no rule there.

A fingerprint of the schema is taken before each closure. If it is new, the catalog is read again.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Pool, Table

from efface.catalog import Catalog, find_namesakes
from efface.catalog.fingerprints import fingerprint
from efface.catalog.relation import Name
from efface.catalog.unknown import Unknown
from efface.errors import (
    MissingDeletedAtError,
    MissingTablesError,
    Problem,
    SchemaMismatchError,
    raise_problems,
)
from efface.policy.column_types import by_name
from efface.policy.live_tables import LiveTables
from efface.policy.policy import Policy
from efface.policy.schema_drift import schemas_of, uncovered
from efface.store.efface_tables import metadata

HIDE_QUERIES = "efface_hide_queries"
"""The execution option of an engine that gives a block whose queries the application can't see."""
REMEMBERED = 256
"""How many schemas of one database are remembered, such as those of its tenants."""

logger = logging.getLogger("efface.eraser")
Problems = tuple[Problem, ...]
DEFAULT_SCHEMAS = ("public", "main", "temp")


class KnownSchema(NamedTuple):
    """A schema in which nothing lacks a rule.

    Attributes:
        has_triggers: Whether triggers may write more than a closure does.
        name: The schema that the users' table was found in; None for the default one.
        mixed: The names of tables that were found in several schemas.
        namesakes: Tables with these names in further schemas.
    """

    has_triggers: bool
    name: str | None
    mixed: tuple[str, ...]
    namesakes: tuple[Name, ...]


class KnownDatabases:
    """The schemas that were read, by the pool of connections and by the schema's fingerprint.

    By the pool, because an engine with other options is another engine over the same database.
    Several threads may use it.
    """

    def __init__(self, policy: Policy) -> None:
        """Know nothing yet of any database."""
        self._policy = policy
        self._schemas = {None, *schemas_of(policy)}
        self._lock = Lock()
        # By the fingerprint; None if the role may not read the catalog. A refusal is not kept: a
        # column that is dropped leaves the fingerprint as it is.
        self._known: WeakKeyDictionary[Pool, dict[str, KnownSchema] | None] = WeakKeyDictionary()

    def require_tables(self, connection: Connection) -> None:
        """Make sure that the database has Efface's tables and the column for closed accounts.

        Only the first call for a database asks it.

        Raises:
            MissingTablesError: Efface's tables are missing.
            MissingDeletedAtError: the column for closed accounts is missing.
            SchemaMismatchError: a table is missing whose rows can belong to users.
            StatementError: the database refused to answer.
        """
        with self._lock:
            is_known = connection.engine.pool in self._known
        if not is_known:
            with _hiding_queries(connection):
                self._read(connection)

    def require_rules(self, connection: Connection) -> bool:
        """Make sure that everything that a closure would miss, or destroy, has a rule.

        Returns:
            Whether triggers may write more than the closure does. If that is unknown, they may.

        Raises:
            PolicyError: a table, a column or a foreign key has none.
            StatementError: the database refused to answer.
        """
        with self._lock:
            known = self._known.get(connection.engine.pool)
        if known is None:
            return True
        with _hiding_queries(connection):
            # The catalog has been read, so no savepoint is needed.
            now = fingerprint(connection, self._schemas, guarded=False)
            if isinstance(now, Unknown):
                return True
            seen = known.get(now)
            # Another tenant's tables do not show in the fingerprint of this one's.
            if seen and seen.namesakes == find_namesakes(connection, seen.mixed):
                return seen.has_triggers
            problems, has_triggers = self._read(connection)
        raise_problems(problems)
        return has_triggers

    def schema(self, connection: Connection) -> str | None:
        """Return the schema of the users' table, if it is another than the default one."""
        with self._lock:
            known = dict(self._known.get(connection.engine.pool) or {})
        if not any(seen.name for seen in known.values()):
            return None
        with _hiding_queries(connection):
            seen = known.get(str(fingerprint(connection, self._schemas, guarded=False)))
        return seen.name if seen else None

    def _read(self, connection: Connection) -> tuple[Problems, bool]:
        found = Catalog.of_database(connection, self._schemas)
        pool = connection.engine.pool
        if isinstance(found, Unknown):
            with self._lock:
                is_new = pool not in self._known
                self._known[pool] = None
            if is_new:
                logger.warning(
                    "The role may not read the catalog of the database (%s), so Efface can't see "
                    "tables, columns and foreign keys that have no rule.",
                    found.sqlstate or found.driver_error,
                )
            return (), True
        self._require_ready(found)
        problems = uncovered(self._policy, found, own=metadata.tables)
        has_triggers = LiveTables(self._policy, found).has_triggers
        with self._lock:
            known = self._known.get(pool)
            if known is None:
                known = self._known[pool] = {}
            while len(known) >= REMEMBERED:
                del known[next(iter(known))]
            if not problems:
                known[str(found.fingerprint)] = self._seen(found, has_triggers=has_triggers)
        return problems, has_triggers

    def _seen(self, found: Catalog, *, has_triggers: bool) -> KnownSchema:
        users = found.find_table(self._policy.subject_table)
        place = users.namespace if users and users.name.schema is None else None
        name = None if place in DEFAULT_SCHEMAS else place
        return KnownSchema(has_triggers, name, found.mixed_names, found.namesakes)

    def _require_ready(self, found: Catalog) -> None:
        missing = [name for name in metadata.tables if found.find(name) is None]
        if missing:
            raise MissingTablesError(missing)
        for rules in LiveTables(self._policy, found).missing():
            raise SchemaMismatchError.of_catalog(rules.name)
        table: Table = self._policy.subject_table
        deleted_at = self._policy.subject.deleted_at
        relation = found.find_table(table)
        if (
            relation is None
            or deleted_at not in by_name(table)
            or found.has_column(relation, deleted_at)
        ):
            return
        text = f"The model has the column {deleted_at}, but the database does not. In a migration:"
        paste = f'op.add_deleted_at("{table.name}")    # after: import efface.alembic'
        raise MissingDeletedAtError([Problem("E105", table.fullname, deleted_at, text, paste)])


def _hiding_queries(connection: Connection) -> AbstractContextManager[None]:
    """Return a block whose queries are none of the application's."""
    begin = connection.get_execution_options().get(HIDE_QUERIES)
    block: AbstractContextManager[None] = nullcontext() if begin is None else begin(connection)
    return block
