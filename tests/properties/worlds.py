"""Generated schemas with a valid policy, filled with people who each carry their own marker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

from efface import (
    Basis,
    Clear,
    Delete,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    not_personal,
    on_leaving,
    personal,
)
from tests.schemas.forum import engine_of

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)
RETAIN = Retain("P3Y", Basis.LEGAL_OBLIGATION, "a law")
COLUMN_ACTIONS = [Clear(), Replace("gone"), Placeholder(), ReplaceMentions("someone"), None]


@dataclass(frozen=True)
class TableShape:
    """One generated table: where its rows refer to, what happens, and its columns."""

    parent: int | None
    action: Any
    columns: tuple[Any, ...]
    document: bool


@dataclass
class World:
    """A database of a generated schema in which several people live."""

    engine: Engine
    metadata: MetaData
    eraser: Eraser
    people: tuple[int, ...]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table."""
        with self.engine.connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table))]
                for table in self.metadata.sorted_tables
            }

    def rows_of_others(self, person: int) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row that belongs to somebody else: each row says whose it is."""
        return {
            name: [row for row in rows if row[-1] != person] for name, rows in self.rows().items()
        }

    def columns_naming(self, person: int) -> set[str]:
        """Return the columns in which the marker of *person* stands, found in Python."""
        marker = marker_of(person)
        return {
            f"{table.name}.{column.name}"
            for table, rows in zip(self.metadata.sorted_tables, self.rows().values(), strict=True)
            for row in rows
            for column, value in zip(table.columns, row, strict=True)
            if marker in str(value).lower()
        }

    def retained_tables(self) -> set[str]:
        """Return the tables whose rows stay with their values."""
        return {
            name
            for name, rule in self.eraser.policy.tables.items()
            if any(isinstance(mark.action, Retain) for mark in rule.leavings)
        }

    def close(self, person: int) -> Any:
        """Close an account and settle it, each in a transaction of its own."""
        with self.engine.begin() as connection:
            receipt = self.eraser.close_account(connection, person, actor="test")
        with self.engine.begin() as connection:
            return self.eraser.settle(connection, receipt)


def marker_of(person: int) -> str:
    """Return the identifier of *person*, which no other text contains."""
    return f"marker-of-{person:04d}-x"


@st.composite
def shapes(draw: st.DrawFn) -> list[TableShape]:
    """Draw tables that refer to the people or to a table before them."""
    made: list[TableShape] = []
    for number in range(draw(st.integers(1, 4))):
        # Rows that go cannot be referred to by rows that stay.
        parents = [None, *(n for n in range(number) if isinstance(made[n].action, Redact))]
        made.append(
            TableShape(
                parent=draw(st.sampled_from(parents)),
                action=draw(st.sampled_from([Delete(), Redact(), Revoke(), RETAIN])),
                columns=tuple(draw(st.lists(st.sampled_from(COLUMN_ACTIONS), max_size=3))),
                document=draw(st.booleans()),
            )
        )
    return made


def schema(tables: list[TableShape]) -> MetaData:
    """Return the metadata of *tables*, with markers. The last column says whose a row is."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80), personal(Placeholder.email()), unique=True, nullable=False),
        Column("about", Text, personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        Column("whose", Integer, not_personal()),
        data_subject(identifiers=["email"]),
    )
    for number, shape in enumerate(tables):
        parent = "people" if shape.parent is None else f"t{shape.parent}"
        columns = [
            Column(f"c{n}", Text, personal(action) if action else not_personal())
            for n, action in enumerate(shape.columns)
        ]
        if shape.document:
            columns.append(Column("doc", JSON, personal(ReplaceMentions("someone"))))
        Table(
            f"t{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("parent_id", ForeignKey(f"{parent}.id"), index=True),
            *columns,
            Column("whose", Integer, not_personal()),
            on_leaving(shape.action, via="parent_id"),
        )
    return metadata


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a schema and fill it: every person gets rows in every table."""
    tables = draw(shapes())
    metadata = schema(tables)
    people = tuple(range(1, 1 + draw(st.integers(2, 3))))
    rows = draw(st.integers(1, 3))
    engine = engine_of()
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), key=KEY, clock=lambda: NOW)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        for person in people:
            _fill(connection, metadata, tables, person, rows)
    return World(engine, metadata, eraser, people)


def _fill(
    connection: Connection, metadata: MetaData, tables: list[TableShape], person: int, rows: int
) -> None:
    marker = marker_of(person)
    own = {"id": person, "email": marker, "about": f"I am {marker}", "whose": person}
    connection.execute(insert(metadata.tables["people"]), [own])
    for number, shape in enumerate(tables):
        for row in range(rows):
            key = 1000 * person + row
            values = {
                "id": key,
                "parent_id": person if shape.parent is None else key,
                "whose": person,
            }
            # What is declared as not personal does not name anybody.
            values |= {
                f"c{n}": f"by {marker.upper()}!" if action else "nobody"
                for n, action in enumerate(shape.columns)
            }
            if shape.document:
                values["doc"] = {"by": [marker], marker: row}
            connection.execute(insert(metadata.tables[f"t{number}"]), [values])
