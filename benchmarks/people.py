"""A database of the sample site, with people who all have the same number of rows."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from efface import Eraser
from garden.database import open_engine
from garden.models import Base, policy

PASSWORD = "a password of the benchmark"  # noqa: S105 - of invented people
KEY = "a key of the benchmark"
THEN = "2026-01-05 09:00:00.000000"
# Every fifth post names its author, the others are about the weather.
MENTIONS = 5


@dataclass(frozen=True)
class Shape:
    """How many rows a person has in each of the six tables; their own is one more."""

    tokens: int
    plots: int
    posts: int
    orders: int
    invoices: int

    @property
    def rows(self) -> int:
        """Return the rows in all."""
        return 1 + self.tokens + self.plots + self.posts + self.orders + self.invoices


FIFTY = Shape(tokens=3, plots=2, posts=20, orders=12, invoices=12)
# No plots: the start page lists all there are, and no garden has one for each of these people.
TWO_HUNDRED = Shape(tokens=4, plots=0, posts=95, orders=50, invoices=50)
TWO_THOUSAND = Shape(tokens=40, plots=19, posts=940, orders=500, invoices=500)


def create(path: Path) -> tuple[Engine, Eraser]:
    """Return the engine of a new database with the site's tables, and its eraser."""
    engine = open_engine(f"sqlite:///{path}")
    eraser = Eraser(policy, secret=KEY)
    Base.metadata.create_all(engine)
    eraser.create_tables(engine)
    return engine, eraser


def sessions_of(engine: Engine) -> sessionmaker:
    """Return a maker of plain sessions."""
    return sessionmaker(engine)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection of the driver, set up as the site sets up its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def settle_in(
    path: Path, shape: Shape, number: int, *, hashed: str = "", first: int = 1
) -> list[int]:
    """Add people of this shape and return their keys."""
    keys = list(range(first, first + number))
    connection = connect(path)
    connection.execute("BEGIN")
    for key in keys:
        _add(connection, key, shape, hashed)
    connection.execute("COMMIT")
    connection.close()
    return keys


def email_of(key: int) -> str:
    """Return the address of a person."""
    return f"member{key:05}@garden.example"


def _add(connection: sqlite3.Connection, key: int, shape: Shape, hashed: str) -> None:
    email, name = email_of(key), f"Member Number{key:05}"
    connection.execute(
        "INSERT INTO users (id, email, name, hashed_password, confirmed_at, inserted_at,"
        " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key, email, name, hashed, THEN, THEN, THEN),
    )
    connection.executemany(
        "INSERT INTO users_tokens (user_id, token, context, sent_to, inserted_at)"
        " VALUES (?, randomblob(32), ?, ?, ?)",
        [
            # One of them was sent to an address the person had before.
            (key, "confirm", f"former{key:05}@garden.example" if i == 0 else email, THEN)
            for i in range(shape.tokens)
        ],
    )
    connection.executemany(
        "INSERT INTO plots (label, crop, holder_id) VALUES (?, 'beans', ?)",
        [(f"{key}-{i}", key) for i in range(shape.plots)],
    )
    connection.executemany(
        "INSERT INTO posts (author_id, title, body, inserted_at) VALUES (?, ?, ?, ?)",
        [(key, "On the weather", _body(i, email, name), THEN) for i in range(shape.posts)],
    )
    orders = [
        connection.execute(
            "INSERT INTO orders (user_id, item, packets, note, ordered_at)"
            " VALUES (?, 'beans', 2, ?, ?)",
            # Every other order comes with a note.
            (key, f"for {name}, please" if i % 2 else None, THEN),
        ).lastrowid
        for i in range(shape.orders)
    ]
    connection.executemany(
        "INSERT INTO invoices (order_id, billing_name, billing_email, total_cents, issued_at)"
        " VALUES (?, ?, ?, 480, ?)",
        [(orders[i % len(orders)], name, email, THEN) for i in range(shape.invoices)],
    )


def _body(number: int, email: str, name: str) -> str:
    text = "The beans are up, and the watering can stands behind the shed. " * 4
    return f"{text}Write to {email}. Yours, {name}" if number % MENTIONS == 0 else text
