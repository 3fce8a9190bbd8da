"""A small forum: people, their sessions, posts, a newsletter, orders and invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    String,
    Text,
    event,
    insert,
    select,
)
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from efface import (
    Basis,
    Clear,
    Delete,
    Eraser,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)


class Base(DeclarativeBase):
    """The forum's metadata."""


class User(Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (data_subject(identifiers=["email", "name"], not_personal=["locale"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(160), personal(Placeholder.email()), unique=True)
    name: Mapped[str | None] = mapped_column(String(80), personal(Clear()))
    hashed_password: Mapped[str | None] = mapped_column(String(200), personal(Clear()))
    bio: Mapped[str] = mapped_column(Text, personal(Replace("")), default="")
    locale: Mapped[str] = mapped_column(String(8), default="en")
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    posts: Mapped[list[Post]] = relationship(back_populates="author")


class Token(Base):
    """A session or a link that was mailed."""

    __tablename__ = "users_tokens"
    __table_args__ = (on_close(Revoke(), via="user_id", identifiers=["sent_to"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token: Mapped[bytes]
    sent_to: Mapped[str | None] = mapped_column(String(160))


class Post(Base):
    """Something a person wrote."""

    __tablename__ = "posts"
    __table_args__ = (on_close(Redact(), via="author_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(String(120), not_personal())
    body: Mapped[str] = mapped_column(Text, personal(ReplaceMentions("a former member")))
    details: Mapped[Any | None] = mapped_column(JSON, personal(ReplaceMentions("a former member")))
    ip: Mapped[str | None] = mapped_column(String(45), personal(Clear()))

    author: Mapped[User] = relationship(back_populates="posts")


class Newsletter(Base):
    """Linked by value: there is no foreign key."""

    __tablename__ = "newsletter"
    __table_args__ = (on_close(Delete(), via=MatchBy("address", equals="users.email")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str | None] = mapped_column(String(160), index=True)


class Order(Base):
    """Something a person bought."""

    __tablename__ = "orders"
    __table_args__ = (on_close(Redact(), via="user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    note: Mapped[str | None] = mapped_column(Text, personal(Clear()))


class Invoice(Base):
    """What the law wants kept."""

    __tablename__ = "invoices"
    __table_args__ = (
        on_close(
            Retain(
                "P10Y",
                basis=Basis.LEGAL_OBLIGATION,
                reason="tax law",
                start="calendar-year-end",
            ),
            via="order_id",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    billing_name: Mapped[str] = mapped_column(String(80))
    total: Mapped[int]


class Category(Base):
    """Nobody's."""

    __tablename__ = "categories"
    __table_args__ = (no_personal_data(reason="a fixed list"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))


def engine_of(url: str = "sqlite://") -> Engine:
    """Return an engine whose foreign keys are enforced."""
    engine = sqlalchemy_engine(url)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def eraser(**options: Any) -> Eraser:
    """Return the forum's eraser with a clock that stands still."""
    options.setdefault("clock", lambda: NOW)
    return Eraser(Policy.from_metadata(Base.metadata), secret=KEY, **options)


def create(engine: Engine) -> None:
    """Create the forum and our own tables, and let Ada and Grace move in."""
    Base.metadata.create_all(engine)
    eraser().create_tables(engine)
    with engine.begin() as connection:
        move_in(connection, 1, "ada@example.org", "Ada Lovelace")
        move_in(connection, 2, "grace@example.org", "Grace Hopper")
        connection.execute(insert(Category), [{"title": "Tools"}])


def move_in(connection: Connection, key: int, email: str, name: str) -> None:
    """Insert a person with rows in every table."""
    person = {"id": key, "email": email, "name": name, "hashed_password": f"hash of {name}"}
    connection.execute(insert(User), [{**person, "bio": f"I am {name}"}])
    connection.execute(
        insert(Token),
        [
            {"user_id": key, "token": b"secret", "sent_to": None},
            {"user_id": key, "token": b"mail", "sent_to": f"old.{email}"},
        ],
    )
    posts = [
        {"body": f"Write to {email.upper()} or ask {name}.", "details": {"by": [name]}},
        {"body": "Nothing about anybody.", "details": {"by": []}, "ip": "192.0.2.1"},
        {"body": "Plain.", "details": None},
    ]
    for post in posts:
        connection.execute(insert(Post), [{"author_id": key, "title": "A post", **post}])
    connection.execute(insert(Newsletter), [{"address": email}, {"address": None}])
    for number in (1, 2):
        order = {"id": 10 * key + number, "user_id": key, "note": "ring twice"}
        connection.execute(insert(Order), [order])
        invoice = {"order_id": order["id"], "billing_name": name, "total": 100 * number}
        connection.execute(insert(Invoice), [invoice])


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, for comparing before and after."""
    return {
        table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
        for table in Base.metadata.sorted_tables
    }
