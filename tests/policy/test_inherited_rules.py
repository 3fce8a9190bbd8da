"""Rules of an abstract base class, and tables that are joined to the one that has them."""

from datetime import datetime

import pytest
from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from efface import Placeholder, Policy, Redact, data_subject, on_close, personal
from efface.policy.check import check


@pytest.fixture
def models():
    """People, and staff with a table of their own; a rule of the abstract base above them."""

    class Base(DeclarativeBase):
        pass

    class Person(Base):
        __abstract__ = True
        __table_args__ = (data_subject(identifiers=["email"]),)

    class User(Person):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(personal(Placeholder.email()), unique=True)
        deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    return Base, User


def test_a_joined_table_does_not_have_the_rules_of_the_base(models):
    base, user = models

    class Staff(user):
        __tablename__ = "staff"
        id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
        desk: Mapped[str]

    policy = Policy.from_metadata(base.metadata)

    assert policy.subject_table.name == "users"
    # It has no rule, so it is asked for one, and not told that there are two users' tables.
    assert [(p.code, p.place) for p in check(policy)] == [("E101", "staff")]


def test_it_can_have_rules_of_its_own(models):
    base, user = models

    class Staff(user):
        __tablename__ = "staff"
        __table_args__ = (on_close(Redact(), via="id", not_personal=["desk"]),)
        id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
        desk: Mapped[str]

    assert check(Policy.from_metadata(base.metadata)) == ()


def test_tables_beside_each_other_share_the_rules_of_their_base():
    class Base(DeclarativeBase):
        pass

    class Owned(Base):
        __abstract__ = True
        __table_args__ = (on_close(Redact(), via="user_id"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)

    class Post(Owned):
        __tablename__ = "posts"

    class Note(Owned):
        __tablename__ = "notes"

    policy = Policy.from_metadata(Base.metadata)

    assert [len(policy.tables[name].close_rules) for name in ("notes", "posts")] == [1, 1]
