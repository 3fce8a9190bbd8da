"""A short text that changes with the schema, from one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from efface.catalog.sqlite.queries import quoted
from efface.catalog.unknown import Unknown, ask
from efface.errors.catalog_refusals import UnsupportedDatabaseError

Schemas = Collection[str | None]

# Indexes are in pg_class as well, so that a new unique key shows. Neither relfilenode nor xmin of
# pg_class: TRUNCATE, VACUUM FULL and GRANT change those. pg_attribute would cost three times the
# rest, and the database refuses a statement that no longer fits a column.
# A sum of xmin, because only sums notice a transaction that is older and committed later; age()
# is counted from the present, so the age of a fixed transaction is what it is compared with.
_POSTGRESQL = """
    SELECT current_user::text, pg_catalog.current_schemas(false)::text,
      pg_catalog.current_setting('row_security'),
      pg_catalog.current_setting('session_replication_role'),
      (SELECT ROW(count(*), sum(pg_catalog.hashoid(c.oid)),
              sum((c.relchecks * 2000 + c.relnatts) * 4 + c.relhastriggers::int
                  + CASE WHEN c.relrowsecurity THEN 1000000
                      + pg_catalog.row_security_active(c.oid)::int * 1000000 ELSE 0 END
                  + c.relhasrules::int * 1000))::text
         FROM pg_catalog.pg_class c WHERE c.relnamespace = ANY (s.oids)),
      (SELECT ROW(count(*),
              count(*) * pg_catalog.age('1000'::xid) - sum(pg_catalog.age(k.xmin)))::text
         FROM pg_catalog.pg_constraint k WHERE k.connamespace = ANY (s.oids)),
      (SELECT ROW(count(*), sum(t.xmin::text::bigint))::text
         FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal OR t.tgenabled <> 'O')
    FROM (SELECT ARRAY(
            SELECT n.oid FROM pg_catalog.pg_namespace n
            WHERE n.nspname = ANY (ARRAY[{schemas}]::text[]) OR {visible} AND (
              n.nspname = ANY (pg_catalog.current_schemas(false))
              OR n.oid = pg_catalog.pg_my_temp_schema())) AS oids) s
"""
# In hexadecimal, so that no driver takes a character of a name for a placeholder.
_NAME = "pg_catalog.convert_from(pg_catalog.decode('{}', 'hex'), 'UTF8')"
# Temporary tables hide others of their name, and have a version of their own.
_SQLITE = """
    SELECT v.schema_version, f.foreign_keys,
           (SELECT group_concat(t.sql, ' ') FROM sqlite_temp_master t)
    FROM pragma_schema_version v, pragma_foreign_keys f
"""


def fingerprint(
    connection: Connection, schemas: Schemas = (None,), *, guarded: bool = True
) -> str | Unknown:
    """Return a text that differs after a change of the schema.

    It also depends on the role, the search path, and whether foreign keys are enforced.

    On PostgreSQL it does not notice

    - a column whose type, name, default or NOT NULL changes in place;
    - a table in another schema, if it refers to these schemas only through a third table.

    Args:
        connection: The database.
        schemas: The schemas to look at; None is what a name without a schema finds.
        guarded: Whether to ask inside a savepoint, which costs two more statements. Without one
            a refusal ends the caller's transaction, so pass False only after you could read the
            catalog.

    Raises:
        UnsupportedDatabaseError: the database is neither PostgreSQL nor SQLite.
        StatementError: the database refused to answer.
    """
    question = {"postgresql": _on_postgresql, "sqlite": _on_sqlite}.get(connection.dialect.name)
    if question is None:
        raise UnsupportedDatabaseError(connection.dialect.name)
    return ask(connection, lambda asked: question(asked, schemas), guarded=guarded)


def _on_postgresql(connection: Connection, schemas: Schemas) -> str:
    names = (_NAME.format(each.encode().hex()) for each in schemas if each is not None)
    sql = _POSTGRESQL.format(schemas=", ".join(sorted(names)), visible=None in schemas)
    return _digest(_row(connection, sql))


def _on_sqlite(connection: Connection, schemas: Schemas) -> str:
    found = [*_row(connection, _SQLITE)]
    for name in sorted({each for each in schemas if each not in (None, "main", "temp")}, key=str):
        found += _row(connection, f"PRAGMA {quoted(str(name))}.schema_version")
    return _digest(found)


def _row(connection: Connection, sql: str) -> tuple[object, ...]:
    """Return the only row, from the driver's cursor: this runs before each closure."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(sql)
        found: Any = cursor.fetchone()
    return tuple(found)


def _digest(found: Iterable[object]) -> str:
    return blake2b(repr(tuple(found)).encode(), digest_size=16).hexdigest()
