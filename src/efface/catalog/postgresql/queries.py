"""The queries that PostgreSQL's catalog answers: one for each kind of thing, for all relations.

Every name is qualified, because a schema of the search path can have functions of these names.
Columns that came with later versions are read through ``to_jsonb``, which has no older error.
"""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Text, TextClause, bindparam, text


def _query(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("oids", type_=ARRAY(BigInteger)))


# Also relations of other schemas with a foreign key to these, because a delete can reach their
# rows, and partitions in other schemas.
RELATIONS = text(
    """
    WITH RECURSIVE edges(child, parent) AS (
      SELECT k.conrelid, k.confrelid FROM pg_catalog.pg_constraint k WHERE k.contype = 'f'
      UNION SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
    ), concerned(oid) AS (
      SELECT c.oid FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (
        n.nspname = ANY (:schemas) OR :visible AND pg_catalog.pg_table_is_visible(c.oid)
          AND n.nspname NOT IN ('pg_catalog', 'information_schema'))
      UNION
      SELECT e.child FROM edges e JOIN concerned o ON o.oid = e.parent
    )
    SELECT c.oid::bigint AS oid, n.nspname::text AS namespace, c.relname::text AS name,
      pg_catalog.pg_table_is_visible(c.oid) AS is_visible, c.relkind::text AS kind,
      c.relpersistence = 't' AS is_temporary, c.relispartition AS is_partition,
      CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partitioned_by,
      c.relrowsecurity AS row_security,
      CASE WHEN c.relrowsecurity THEN pg_catalog.row_security_active(c.oid) ELSE false END
        AS row_security_active,
      (SELECT x.extname::text FROM pg_catalog.pg_depend d
         JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
           AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' LIMIT 1)
        AS extension
    FROM concerned o
    JOIN pg_catalog.pg_class c ON c.oid = o.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    ORDER BY n.nspname, c.relname
    """
).bindparams(bindparam("schemas", type_=ARRAY(Text)), bindparam("visible", type_=Boolean))

NAMESAKES = text(
    """
    SELECT min(n.nspname)::text AS namespace, c.relname::text AS name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relname = ANY (:names)
      AND NOT pg_catalog.pg_table_is_visible(c.oid)
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    GROUP BY c.relname ORDER BY c.relname
    """
).bindparams(bindparam("names", type_=ARRAY(Text)))

INHERITANCE = _query(
    """
    SELECT i.inhrelid::bigint AS child, i.inhparent::bigint AS parent,
      n.nspname::text AS namespace, c.relname::text AS name,
      pg_catalog.pg_table_is_visible(c.oid) AS is_visible
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhrelid = ANY (CAST(:oids AS oid[]))
    ORDER BY i.inhrelid, i.inhseqno
    """
)

COLUMNS = _query(
    """
    SELECT a.attrelid::bigint AS oid, a.attnum AS number, a.attname::text AS name,
      a.atttypid::bigint AS type_oid,
      pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
      a.attnotnull AS not_null, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression,
      a.attgenerated::text <> '' AS is_generated, a.attidentity::text AS identity,
      a.attcollation::bigint AS collation
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY (CAST(:oids AS oid[]))
    ORDER BY a.attrelid, a.attnum
    """
)

# Resolves domains and arrays.
TYPES = _query(
    """
    WITH RECURSIVE used(oid) AS (
      SELECT pg_catalog.unnest(CAST(:oids AS oid[]))
      UNION
      SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
      FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid
      WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0
    )
    SELECT t.oid::bigint AS oid, pg_catalog.format_type(t.oid, NULL) AS name,
      t.typtype = 'd' AS is_domain, t.typbasetype::bigint AS base_oid,
      CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END
        AS base,
      CASE WHEN t.typcategory = 'A' AND t.typtype <> 'd' THEN t.typelem::bigint ELSE 0 END
        AS element_oid,
      t.typnotnull AS not_null, t.typdefault AS default,
      ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
            WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
      ARRAY(SELECT k.conname::text FROM pg_catalog.pg_constraint k
            WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS check_names,
      ARRAY(SELECT pg_catalog.pg_get_expr(k.conbin, 0) FROM pg_catalog.pg_constraint k
            WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS check_texts
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid
    """
)

INDEXES = _query(
    """
    SELECT i.indrelid::bigint AS oid, x.relname::text AS name, m.amname::text AS method,
      i.indisunique AS is_unique, i.indisprimary AS is_primary, i.indisvalid AS is_valid,
      i.indkey::int2[] AS numbers, i.indnkeyatts AS parts,
      i.indcollation::oid[]::bigint[] AS collations,
      CASE WHEN i.indexprs IS NOT NULL THEN ARRAY(
        SELECT pg_catalog.pg_get_indexdef(i.indexrelid, n, false)
        FROM pg_catalog.generate_series(1, i.indnkeyatts) n ORDER BY n) END AS expressions,
      pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS condition,
      CASE WHEN i.indisunique THEN
        coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
        ELSE false END AS nulls_equal,
      coalesce(k.condeferrable, false) AS deferrable, coalesce(k.condeferred, false) AS deferred
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid = x.relam
    LEFT JOIN pg_catalog.pg_constraint k
      ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
    WHERE NOT i.indisexclusion AND i.indrelid = ANY (CAST(:oids AS oid[]))
    ORDER BY i.indrelid, NOT i.indisprimary, x.relname
    """
)

COLLATIONS = _query(
    """
    SELECT c.oid::bigint AS oid, c.collname::text AS name, c.collisdeterministic AS deterministic
    FROM pg_catalog.pg_collation c
    WHERE c.collname <> 'default' AND c.oid = ANY (CAST(:oids AS oid[]))
    """
)

# PostgreSQL adds a constraint for each partition of a referenced table.
CONSTRAINTS = _query(
    """
    SELECT k.conrelid::bigint AS oid, k.conname::text AS name, k.contype::text AS kind,
      k.conkey AS numbers, n.nspname::text AS namespace, c.relname::text AS target,
      pg_catalog.pg_table_is_visible(c.oid) AS is_visible,
      ARRAY(SELECT a.attname::text
            FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
            ORDER BY u.place) AS target_columns,
      k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
      k.confmatchtype::text AS match, k.condeferrable AS deferrable, k.condeferred AS deferred,
      CASE WHEN k.contype = 'f' THEN pg_catalog.to_jsonb(k) ->> 'confdelsetcols' END
        AS set_numbers,
      CASE WHEN k.contype = 'f'
        THEN coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
        ELSE true END AS is_enforced,
      CASE k.contype WHEN 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid)
                     WHEN 'f' THEN NULL
                     ELSE pg_catalog.pg_get_constraintdef(k.oid) END AS definition,
      coalesce(r.is_checked, true) AS is_checked, coalesce(r.is_acting, true) AS is_acting
    FROM pg_catalog.pg_constraint k
    LEFT JOIN pg_catalog.pg_class c ON k.contype = 'f' AND c.oid = k.confrelid
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
    LEFT JOIN (
      SELECT t.tgconstraint,
        pg_catalog.bool_and(t.tgenabled::text IN ('A', s.mode))
          FILTER (WHERE pg_catalog.starts_with(p.proname::text, 'RI_FKey_check_')) AS is_checked,
        pg_catalog.bool_or(t.tgenabled::text IN ('A', s.mode))
          FILTER (WHERE NOT pg_catalog.starts_with(p.proname::text, 'RI_FKey_check_'))
          AS is_acting
      FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
      CROSS JOIN (SELECT CASE pg_catalog.current_setting('session_replication_role')
                    WHEN 'replica' THEN 'R' ELSE 'O' END AS mode) s
      WHERE t.tgisinternal AND t.tgconstraint <> 0 GROUP BY t.tgconstraint
    ) r ON r.tgconstraint = k.oid
    WHERE (k.contype IN ('c', 'f') OR i.indisexclusion)
      AND k.conrelid = ANY (CAST(:oids AS oid[]))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p
                      WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
    ORDER BY k.conrelid, k.conname, k.oid
    """
)

TRIGGERS = _query(
    """
    SELECT t.oid, t.name, t.bits, t.numbers, t.is_deferred, t.event, t.is_instead,
      t.enabled IN ('A', CASE pg_catalog.current_setting('session_replication_role')
                           WHEN 'replica' THEN 'R' ELSE 'O' END) AS is_enabled
    FROM (
      SELECT t.tgrelid::bigint AS oid, t.tgname::text AS name, t.tgtype::int AS bits,
        t.tgattr::int2[] AS numbers, t.tginitdeferred AS is_deferred,
        NULL::text AS event, false AS is_instead, t.tgenabled::text AS enabled
      FROM pg_catalog.pg_trigger t
      WHERE NOT t.tgisinternal AND t.tgrelid = ANY (CAST(:oids AS oid[]))
      UNION ALL
      SELECT r.ev_class::bigint, r.rulename::text, 0, NULL, false, r.ev_type::text, r.is_instead,
        r.ev_enabled::text
      FROM pg_catalog.pg_rewrite r
      WHERE r.rulename <> '_RETURN' AND r.ev_class = ANY (CAST(:oids AS oid[]))
    ) t
    ORDER BY t.oid, t.name
    """
)
