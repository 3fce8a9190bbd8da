"""Databases of drawn schemas, filled with people who each carry their own marker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, MetaData, insert, select, text

from efface import BatchReceipt, Eraser, Placeholder, Policy, Receipt, Retain
from efface.plan.closing_subjects import as_utc
from efface.policy.column_types import room
from efface.store.efface_tables import closings
from tests.properties.model import TOKEN, Model
from tests.properties.rows import (
    PER_PERSON,
    Filling,
    State,
    email_of,
    key_of,
    marker_of,
)
from tests.properties.schema import metadata_of
from tests.properties.shapes import Schema, Shape, schemas

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)


@dataclass
class World:
    """A drawn schema, its policy, and rows for several people; a database holds it in `on`."""

    schema: Schema
    people: tuple[int, ...]
    seed: int
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    rows: int = PER_PERSON

    def __post_init__(self) -> None:
        """Work out what every database is to hold."""
        self.metadata = metadata_of(self.schema)
        self.state: State = Filling(self.schema, self.people, Random(self.seed), self.rows).fill()

    @property
    def model(self) -> Model:
        """What ought to happen, from the beginning."""
        return Model(self.schema, self.state, NOW)

    @contextmanager
    def on(self, engine: Engine) -> Iterator[Place]:
        """Fill the database behind *engine*, and empty it afterwards."""
        place = Place(self, engine)
        self.metadata.create_all(engine)
        place.eraser.create_tables(engine)
        try:
            place.fill()
            yield place
        finally:
            empty(engine)

    def key(self, person: int) -> Any:
        """Return the primary key of *person*."""
        return key_of(self.schema.key, person)


class Place:
    """A world in one database."""

    def __init__(self, world: World, engine: Engine, metadata: MetaData | None = None) -> None:
        """Make the eraser for it."""
        self.world, self.engine = world, engine
        self.metadata = metadata or world.metadata
        policy = Policy.from_metadata(self.metadata)
        self.eraser = Eraser(policy, secret=KEY, clock=lambda: NOW, **world.options)
        self._made = dict(self._placeholders())
        self._follow = {
            (f"t{n}", f"l{position}")
            for n, shape in enumerate(world.schema.tables)
            for position, link in enumerate(shape.links)
            if link.by == "login"
        }

    def fill(self) -> None:
        """Insert every row."""
        with self.engine.begin() as connection:
            for name, found in _in_order(self.world).items():
                if found:
                    connection.execute(insert(self.metadata.tables[name]), found)
            # The circle: people and the rows they refer to refer to each other.
            people = self.metadata.tables["people"]
            for row in self.world.state["people"]:
                late = {n: row[n] for n in ("home_id", "inviter_id") if n in row}
                if late:
                    connection.execute(people.update().where(people.c.id == row["id"]).values(late))

    # ------------------------------------------------------------ reading

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return every row of every table, as the types of the columns give them."""
        with self.engine.connect() as connection:
            return {
                name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for name, table in self.metadata.tables.items()
            }

    def raw(self) -> dict[str, Counter[str]]:
        """Return every row as the database has it, below all types, and how often."""
        with self.engine.connect() as connection:
            return {
                name: Counter(
                    repr(tuple(map(str, row)))
                    for row in connection.execute(text(f"SELECT * FROM {name}"))
                )
                for name in self.metadata.tables
            }

    def seen(self) -> dict[str, Counter[str]]:
        """Return every row with all placeholders alike, to be compared with a model."""
        return comparable(
            {
                name: [{c: self._alike(name, c, v) for c, v in row.items()} for row in found]
                for name, found in self.rows().items()
            }
        )

    def _alike(self, table: str, column: str, value: Any) -> Any:
        if isinstance(value, datetime):
            return as_utc(value)
        made = self._made.get((table, column), ())
        return TOKEN if any(action.matches(value) for action in made) else value

    def _placeholders(self) -> Iterator[tuple[tuple[str, str], list[Placeholder]]]:
        """Yield the placeholders that each column may hold, references to them included."""
        for name, rule in self.eraser.policy.tables.items():
            for column in rule.table.columns:
                at = column
                for key in column.foreign_keys:
                    at = key.column
                marks = self.eraser.policy.tables[at.table.name].columns[at.name]
                actions = [m.action for m in marks if isinstance(m.action, Placeholder)]
                if actions:
                    yield (name, column.name), [a.fitted(room(at)) or a for a in actions]

    def naming(self, person: int, inside: Connection | None = None) -> Counter[tuple[str, str]]:
        """Return in how many rows of which columns *person* is named, ours included."""
        marker = marker_of(person)
        found: Counter[tuple[str, str]] = Counter()
        tables = [*self.metadata.tables.values(), closings]
        with nullcontext(inside) if inside else self.engine.connect() as connection:
            for table in tables:
                for row in connection.execute(select(table)).mappings():
                    found.update(_columns_with(marker, table.name, dict(row)))
        return found

    def kept(self, person: int) -> Counter[tuple[str, str]]:
        """Return the same for rows under `Retain` alone; the closing must be still to come."""
        found: Counter[tuple[str, str]] = Counter()
        for table, row, fate in self._fates(person):
            if fate == "kept":
                found.update(_columns_with(marker_of(person), table, row))
        # A changed login is followed by what refers to it, also in a row that is kept.
        return Counter({at: n for at, n in found.items() if at not in self._follow})

    def touched(self, person: int) -> Counter[str]:
        """Return how many rows of each table a closing may change."""
        found = Counter({"people": 1})
        login = marker_of(person)
        for table, row, fate in self._fates(person):
            followed = any(at[0] == table and row[at[1]] == login for at in self._follow)
            found[table] += fate in ("gone", "redacted") or followed
            found[f"o{table[1:]}"] += row.get("owned_id") is not None
        return found

    def shared(self, person: int, other: int) -> Counter[tuple[str, str]]:
        """Return where *other* is named in rows of *person* that go, or values of both."""
        found: Counter[tuple[str, str]] = Counter()
        for table, row, fate in self._fates(person):
            for column in _columns_with(marker_of(other), table, row):
                value = str(row[column[1]]).lower()
                if fate == "gone" or (fate == "redacted" and marker_of(person) in value):
                    found[column] += 1
        return found

    def _fates(self, person: int) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield what the model says of each row as it is now."""
        model = self.world.model
        model.state = self.rows()
        key = self.world.key(person)
        me = next(row for row in model.state["people"] if row["id"] == key)
        for n, shape in enumerate(self.world.schema.tables):
            for row in model.state[f"t{n}"]:
                yield f"t{n}", row, model.fate(shape, row, me)[0]

    def late_rows(self, person: int) -> list[tuple[str, dict[str, Any]]]:
        """Return rows of *person* once more, as new ones, where they refer to them by key."""
        key, found = self.world.key(person), []
        for n, shape in enumerate(self.world.schema.tables):
            link = shape.links[0]
            alone = len(shape.links) == 1 and link.to is None and link.by != "login"
            if not alone or shape.key == "same" or isinstance(shape.marks[0].action, Retain):
                continue
            mine = [row for row in self.world.state[f"t{n}"] if row["l0"] in (key, *_names(person))]
            if mine and not self.world.schema.goes:
                found.append((f"t{n}", _anew(shape, mine[0])))
        return found

    # ------------------------------------------------------------ acting

    def close(self, person: int) -> Receipt:
        """Close an account and settle it, each in a transaction of its own."""
        with self.engine.begin() as connection:
            receipt = self.eraser.close_account(connection, self.world.key(person), actor="test")
        with self.engine.begin() as connection:
            return self.eraser.finalize(connection, receipt)

    def close_together(self, people: Iterable[int]) -> BatchReceipt:
        """Close accounts as one batch and settle it."""
        keys = [self.world.key(person) for person in people]
        with self.engine.begin() as connection:
            batch = self.eraser.close_accounts(connection, keys, actor="test")
        with self.engine.begin() as connection:
            return self.eraser.finalize(connection, batch)


def _names(person: int) -> tuple[str, str]:
    return marker_of(person), email_of(person)


def _anew(shape: Shape, row: dict[str, Any]) -> dict[str, Any]:
    """Return *row* as another one: with a key and unique values of its own."""
    new = {"id": key_of(shape.key, 9999), "number": 99, "owned_id": None}
    new |= {
        f"c{n}": f"{row[f'c{n}']}-too"
        for n, col in enumerate(shape.columns)
        if col.kind == "unique"
    }
    return {**row, **{name: value for name, value in new.items() if name in row}}


def _columns_with(marker: str, table: str, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for column, value in row.items():
        if marker in str(value).lower():
            yield table, column


def comparable(state: State) -> dict[str, Counter[str]]:
    """Return the rows of *state* as they are compared: without order, each as often as it is."""
    return {
        name: Counter(repr(sorted((c, _ordered(v)) for c, v in row.items())) for row in rows)
        for name, rows in state.items()
    }


def _ordered(value: Any) -> Any:
    return sorted(value.items(), key=str) if isinstance(value, dict) else value


def empty(engine: Engine) -> None:
    """Drop everything in the database."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def _in_order(world: World) -> State:
    """Return the rows so that each table comes after those it refers to."""
    people = [
        {n: None if n in ("home_id", "inviter_id") else v for n, v in row.items()}
        for row in world.state["people"]
    ]
    owned = {n: rows for n, rows in world.state.items() if n[0] == "o"}
    return {"people": people, **owned, **{n: r for n, r in world.state.items() if n[0] == "t"}}


@st.composite
def worlds(draw: st.DrawFn, **options: Any) -> World:
    """Draw a schema and two or three people."""
    people = tuple(range(1, 1 + draw(st.integers(2, 3))))
    return World(draw(schemas()), people, draw(st.integers(0, 1000)), options)
