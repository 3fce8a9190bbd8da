"""People under every kind of mapping: single and joined inheritance, many-to-many, a column that
looks at people, a class over a SELECT. For the doors of `hide_closed`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime, Engine, ForeignKey, String, Table, insert, select
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    column_property,
    mapped_column,
    relationship,
)

from efface import (
    Clear,
    Delete,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)

KEY = "a key for tests, long enough"
NOW = datetime(2026, 5, 4, 12, 30, 15, tzinfo=UTC)
ADA, GRACE, ALAN, IDA = 41, 42, 43, 44


class Base(DeclarativeBase):
    """The crew's metadata."""


team_members = Table(
    "team_members",
    Base.metadata,
    Column("team_id", ForeignKey("teams.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
    on_close(Redact(), via="user_id"),
)


class User(Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (data_subject(identifiers=["email"], not_personal=["kind"]),)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user"}  # noqa: RUF012  # SQLAlchemy's way

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), default="user")
    email: Mapped[str] = mapped_column(String(160), personal(Placeholder.email()))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    posts: Mapped[list[Post]] = relationship(back_populates="author")


class Admin(User):
    """In the same table."""

    __mapper_args__ = {"polymorphic_identity": "admin"}  # noqa: RUF012  # as above


class Manager(User):
    """With a table of its own beside."""

    __tablename__ = "managers"
    __table_args__ = (on_close(Redact(), via="id"),)
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012  # as above

    id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    office: Mapped[str | None] = mapped_column(String(40), personal(Clear()))


class Post(Base):
    """Something a person wrote."""

    __tablename__ = "posts"
    __table_args__ = (on_close(Redact(), via="author_id", not_personal=["title"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))

    author: Mapped[User] = relationship(back_populates="posts")


Post.author_kind = column_property(  # type: ignore[attr-defined]  # added once both classes exist
    select(User.kind).where(User.id == Post.author_id).scalar_subquery(), deferred=True
)


class Note(Base):
    """Something that has to do with nobody the classes know of."""

    __tablename__ = "notes"
    __table_args__ = (on_close(Delete(), via="user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    text: Mapped[str] = mapped_column(String(200))


class Team(Base):
    """People together."""

    __tablename__ = "teams"
    __table_args__ = (no_personal_data(reason="a list of teams"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), not_personal())

    members: Mapped[list[User]] = relationship(secondary=team_members)
    everybody: DynamicMapped[User] = relationship(secondary=team_members, viewonly=True)
    anybody: WriteOnlyMapped[User] = relationship(secondary=team_members, overlaps="members")


class Roster(Base):
    """A class over a SELECT, as over a view."""

    __table__ = select(User.__table__).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012  # as above


class Listed(Base):
    """The same without the tombstone."""

    __table__ = select(User.__table__.c.id, User.__table__.c.kind).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012  # as above


def eraser(**options: Any) -> Eraser:
    """Return the crew's eraser with a clock that stands still."""
    options.setdefault("clock", lambda: NOW)
    return Eraser(Policy.from_metadata(Base.metadata), secret=KEY, **options)


def create(engine: Engine) -> None:
    """Create the tables, let everybody move in, and close Ada's and Ida's accounts."""
    Base.metadata.create_all(engine)
    eraser().create_tables(engine)
    kinds = {ADA: "manager", GRACE: "manager", ALAN: "user", IDA: "user"}
    people = [{"id": i, "kind": kind, "email": f"{i}@a.example"} for i, kind in kinds.items()]
    with engine.begin() as connection:
        connection.execute(insert(User.__table__), people)
        connection.execute(insert(Manager.__table__), [{"id": i, "office": "up"} for i in (41, 42)])
        posts = [(1, ADA, "One"), (2, GRACE, "Two")]
        rows = [{"id": i, "author_id": author, "title": title} for i, author, title in posts]
        connection.execute(insert(Post), rows)
        connection.execute(insert(Team), [{"id": 1, "name": "First"}])
        rows = [{"team_id": 1, "user_id": key} for key in (ADA, GRACE)]
        connection.execute(insert(team_members), rows)
        connection.execute(insert(Note), [{"id": 1, "user_id": GRACE, "text": "a note"}])
        eraser().close_accounts(connection, [ADA, IDA], actor="test")
