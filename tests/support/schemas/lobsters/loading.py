"""Bring a world into a database as fast as its driver can: rows first, indexes and keys after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, insert, text
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from tests.support.schemas.lobsters.rows import Rows

CHUNK = 50_000
Progress = Callable[[str, int], None]


def _quiet(_table: str, _rows: int) -> None:
    """Say nothing."""


def load(
    engine: Engine,
    metadata: MetaData,
    tables: Iterable[tuple[str, Rows]],
    progress: Progress = _quiet,
) -> int:
    """Create the tables of *metadata*, fill them, and return the number of rows.

    SQLite cannot add foreign keys later, but checks none while it is told so. PostgreSQL can, and
    then checks each with one query where it would look for every row.
    """
    sqlite = engine.dialect.name == "sqlite"
    total = 0
    with engine.connect() as connection:
        if sqlite:
            _unguarded(connection, on=True)
        with connection.begin():
            for table in metadata.sorted_tables:
                keys = None if sqlite else []
                connection.execute(CreateTable(table, include_foreign_key_constraints=keys))
            for name, rows in tables:
                written = _fill(connection, metadata.tables[name], rows)
                progress(name, written)
                total += written
            for table in metadata.sorted_tables:
                _finish(connection, table, with_keys=not sqlite)
        if sqlite:
            _unguarded(connection, on=False)
        else:
            with connection.execution_options(isolation_level="AUTOCOMMIT").begin():
                connection.execute(text("ANALYZE"))
    return total


def _unguarded(connection: Connection, *, on: bool) -> None:
    driver = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys = {'OFF' if on else 'ON'}")
    driver.execute(f"PRAGMA synchronous = {'OFF' if on else 'FULL'}")
    driver.execute("PRAGMA cache_size = -200000")


def _fill(connection: Connection, table: Table, rows: Rows) -> int:
    if connection.dialect.name == "postgresql":
        return _copy(connection, table, rows)
    statement = str(insert(table).compile(connection))
    cursor = connection.connection.cursor()
    written = 0
    for chunk in _chunks(rows):
        cursor.executemany(statement, chunk)
        written += len(chunk)
    cursor.close()
    return written


def _copy(connection: Connection, table: Table, rows: Rows) -> int:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    written = 0
    into = f"COPY {quote(table.name)} ({columns}) FROM STDIN"
    with connection.connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)
            written += 1
    return written


def _chunks(rows: Rows) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _finish(connection: Connection, table: Table, *, with_keys: bool) -> None:
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        connection.execute(CreateIndex(index))
    if with_keys:
        for key in sorted(table.foreign_key_constraints, key=lambda key: key.column_keys):
            connection.execute(AddConstraint(key))
