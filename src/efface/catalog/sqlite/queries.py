"""The queries over one of SQLite's databases: all tables at once, by its pragma functions."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


OBJECTS = "SELECT type, name, tbl_name, sql FROM {database}.sqlite_master WHERE sql IS NOT NULL"
# Views and virtual tables are read separately: a broken view or a missing module fails the query.
COLUMNS = """
    SELECT m.name AS relation, x.name, x.type, x."notnull" AS not_null, x.dflt_value AS "default",
           x.pk, x.hidden
    FROM {database}.sqlite_master m, pragma_table_xinfo(m.name, {schema}) x
    WHERE m.type = 'table' AND m.rootpage > 0
    ORDER BY m.name, x.cid
"""
COLUMNS_OF_OTHERS = """
    SELECT m.name AS relation, x.name, x.type, x."notnull" AS not_null, x.dflt_value AS "default",
           x.pk, x.hidden
    FROM {database}.sqlite_master m, pragma_table_xinfo(m.name, {schema}) x
    WHERE (m.type = 'view' OR m.type = 'table' AND m.rootpage = 0) {only}
    ORDER BY m.name, x.cid
"""
FOREIGN_KEYS = """
    SELECT m.name AS relation, x.id, x."table" AS target, x."from" AS "column",
           x."to" AS target_column, x.on_delete, x.on_update
    FROM {database}.sqlite_master m, pragma_foreign_key_list(m.name, {schema}) x
    WHERE m.type = 'table' AND m.rootpage > 0
    ORDER BY m.name, x.id DESC, x.seq
"""
INDEXES = """
    SELECT m.name AS relation, i.name, i."unique" AS is_unique, i.origin, i.partial,
           x.cid, x.name AS "column", x.coll AS collation
    FROM {database}.sqlite_master m, pragma_index_list(m.name, {schema}) i,
         pragma_index_xinfo(i.name, {schema}) x
    WHERE m.type = 'table' AND m.rootpage > 0 AND x.key = 1
    ORDER BY m.name, i.seq DESC, x.seqno
"""
SHADOWS = "SELECT name FROM pragma_table_list WHERE type = 'shadow' AND schema = {schema}"
ENFORCED = "SELECT foreign_keys FROM pragma_foreign_keys"
