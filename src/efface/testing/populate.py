"""Fill every column of a schema with a synthetic user, and with a bystander."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table, text, update
from sqlalchemy.exc import CircularDependencyError, DBAPIError
from sqlalchemy.schema import sort_tables_and_constraints

from efface.catalog import Catalog
from efface.catalog.relation import Kind
from efface.catalog.unknown import Unknown
from efface.errors import FixtureError
from efface.policy.policy import Policy
from efface.testing.completeness import policy_of
from efface.testing.synthetic_names import SyntheticNames
from efface.testing.synthetic_rows import SyntheticRow, SyntheticRows
from efface.testing.synthetic_users import Populated, SyntheticUser


def new_token() -> str:
    """Return eight random hexadecimal digits."""
    return secrets.token_hex(4)


def populate(
    bind: Any,
    policy: Policy | MetaData,
    *,
    values: Mapping[str, Any] | None = None,
    token: Callable[[], str] = new_token,
) -> Populated:
    """Insert a user with a row in every table and a value in every column, and a bystander.

    Values fit their types, lengths, enumerations, foreign keys and simple CHECK constraints. Text
    with personal data mentions the user and has a word that is in no other column. Text without
    personal data mentions no one. A table that references two users gets rows that both share.
    You commit.

    Args:
        bind: The Session or Connection to insert with.
        policy: A policy, or metadata with rules.
        values: Values for columns that only your application can fill, by ``"table.column"``. A
            function is called with a number for each row. Pass the discriminator of a class
            hierarchy, too, such as ``{"users.kind": "member"}``.
        token: Returns the characters that make the identifiers unique.

    Returns:
        Both users, with their keys, their identifiers and the words of single columns.

    Raises:
        SubjectTableError: no table has `data_subject`, or several have.
        FixtureError: columns of unknown types need *values*, or foreign keys in a circle allow no
            first row. The message names all of them.
    """
    policy = policy_of(policy)
    subject = policy.subject_table
    if not isinstance(bind, Connection):
        bind.flush()
        bind = bind.connection()
    made = token()
    sides = (SyntheticNames("p", made), SyntheticNames("b", made))
    rows = SyntheticRows(bind, policy, sides, values or {})
    # Before the first INSERT, so that a failure leaves nothing behind.
    rows.check()
    _insert(bind, policy, rows)
    people = []
    for side, words in enumerate(sides):
        known = rows.own(subject, side).values
        key = tuple(known[column.name] for column in subject.primary_key)
        # Changes for a CHECK constraint may have removed a marker from its row.
        markers = {place: word for place, word in words.markers.items() if rows.holds(place, word)}
        people.append(SyntheticUser(key[0] if len(key) == 1 else key, rows.names(side), markers))
    return Populated(*people)


def _insert(connection: Connection, policy: Policy, rows: SyntheticRows) -> None:
    views = _views(connection, policy)
    tables = [t for t in (r.table for r in policy.tables.values()) if t.fullname not in views]
    *ordered, (_, circular) = _insertion_order(connection, tables)
    later = {key for key in circular if isinstance(key, ForeignKeyConstraint)}
    postponed: list[tuple[SyntheticRow, dict[str, Any]]] = []
    # Foreign keys in a circle can only be checked when all rows are there.
    if later and connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    elif any(key.deferrable for key in later):
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    for table, _ in ordered:
        if table is None:
            continue
        for row in rows.of(table):
            found = rows.fill(row)
            names = {
                column.name
                for key in later
                if key.table is table
                for column in key.columns
                if column.nullable and not column.primary_key
            }
            # A nullable foreign key of a circle is NULL first and gets its value below.
            first = {name: None if name in names else value for name, value in found.items()}
            if any(found[name] is not None for name in names):
                postponed.append((row, {name: found[name] for name in names}))
            _run(connection, table, table.insert().values(first), row)
    for row, found in postponed:
        known = row.values
        key = (c == known[c.name] for c in row.table.primary_key)
        _run(connection, row.table, update(row.table).values(found).where(*key), None)


def _views(connection: Connection, policy: Policy) -> set[str]:
    """Return the names of views, which cannot be filled."""
    tables = [table_rules.table for table_rules in policy.tables.values()]
    live = Catalog.of_database(connection, {table.schema for table in tables})
    if isinstance(live, Unknown):
        return set()
    found = {table.fullname: live.find_table(table) for table in tables}
    kinds = (Kind.VIEW, Kind.MATERIALIZED_VIEW)
    return {name for name, relation in found.items() if relation and relation.kind in kinds}


def _insertion_order(connection: Connection, tables: list[Table]) -> Any:
    """Return the tables, each after those it references, and the foreign keys in a circle.

    Raises:
        FixtureError: the foreign keys in a circle are neither nullable nor deferrable.
    """
    is_sqlite = connection.dialect.name == "sqlite"

    def waits(key: ForeignKeyConstraint) -> bool:
        accepts_null = all(c.nullable and not c.primary_key for c in key.columns)
        return bool(is_sqlite or key.deferrable or accepts_null)

    first = {
        (key.referred_table, table)
        for table in tables
        for key in table.foreign_key_constraints
        if key.referred_table is not table and not waits(key)
    }
    try:
        return sort_tables_and_constraints(tables, extra_dependencies=first)  # type: ignore[no-untyped-call]  # SQLAlchemy's
    except CircularDependencyError as error:
        names = ", ".join(sorted(table.fullname for table in error.cycles))
        raise FixtureError(
            f"These tables refer to each other, so none of them can have the first row: {names}. "
            "Nothing was inserted. Let one of their columns accept NULL, or make its foreign key "
            "deferrable=True."
        ) from None


def _run(connection: Connection, table: Table, statement: Any, row: SyntheticRow | None) -> None:
    try:
        result = connection.execute(statement)
    except DBAPIError as error:
        error.add_note(
            f"populate() could not fill {table.fullname}. Give a value for the column that the "
            f'database refused: populate(..., values={{"{table.fullname}.<column>": ...}})'
        )
        raise
    if row is not None and result.inserted_primary_key is not None:
        # Keys that the database generates, such as an identity that is always generated.
        for column, value in zip(table.primary_key, result.inserted_primary_key, strict=True):
            row.values.setdefault(column.name, value)
