"""The garden's tables, each with its rules for account closure."""

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    case,
    func,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from efface import (
    Basis,
    Clear,
    Delete,
    Placeholder,
    Policy,
    Redact,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)

FORMER_MEMBER = "a former member"


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time: SQLite forgets the zone, and PostgreSQL answers in that of its session."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store every time in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return a time that knows it is UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The base of all models."""

    type_annotation_map: ClassVar = {datetime: UTCDateTime, str: Text}


class User(Base):
    """A member, or the tombstone row of a closed account, which has no personal data."""

    __tablename__ = "users"
    __table_args__ = (
        data_subject(identifiers=["email", "name"], not_personal=["inserted_at", "updated_at"]),
        Index("ix_users_email", text("lower(email)"), unique=True),
        Index(
            "ix_users_open",
            "id",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(160), personal(Placeholder.email()))
    name: Mapped[str | None] = mapped_column(personal(Clear()))
    hashed_password: Mapped[str | None] = mapped_column(personal(Clear()))
    confirmed_at: Mapped[datetime | None] = mapped_column(personal(Clear()))
    inserted_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @hybrid_property
    def display_name(self) -> str:
        """The name to show to others; a closed account has none."""
        return FORMER_MEMBER if self.deleted_at else self.name or "a member"

    @display_name.inplace.expression
    @classmethod
    def _display_name(cls) -> ColumnElement[str]:
        return case(
            (cls.deleted_at.is_not(None), FORMER_MEMBER),
            else_=func.coalesce(func.nullif(cls.name, ""), "a member"),
        )

    def __repr__(self) -> str:
        """Return the key only: a repr ends up in logs."""
        return f"<User {self.id}>"


class UserToken(Base):
    """A login, or a link that was sent by email; only a hash of the secret is kept."""

    __tablename__ = "users_tokens"
    __table_args__ = (
        on_close(Revoke(), via="user_id", identifiers=["sent_to"]),
        UniqueConstraint("context", "token"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token: Mapped[bytes]
    context: Mapped[str]
    sent_to: Mapped[str | None]
    inserted_at: Mapped[datetime]
    authenticated_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]
    browser_id: Mapped[str | None]


class Plot(Base):
    """A plot in the garden. It becomes free when its holder's account is closed."""

    __tablename__ = "plots"
    __table_args__ = (on_close(Redact(), via="holder_id", not_personal=["label", "crop"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)
    crop: Mapped[str]
    holder_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id"), personal(Clear()), index=True
    )
    holder: Mapped[User | None] = relationship()


class PlotGroup(Base):
    """Members who look after some plots together."""

    __tablename__ = "plot_groups"
    __table_args__ = (no_personal_data(reason="it says what is grown together, and not by whom"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    members: Mapped[list["PlotGroupMember"]] = relationship(order_by="PlotGroupMember.user_id")


class PlotGroupMember(Base):
    """A membership in a group. It is deleted with the account."""

    __tablename__ = "plot_group_members"
    __table_args__ = (on_close(Delete(), via="user_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey("plot_groups.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    is_organizer: Mapped[bool]
    user: Mapped[User] = relationship()


class Post(Base):
    """A post on the notice board. It stays, and the author's name in it is replaced."""

    __tablename__ = "posts"
    __table_args__ = (on_close(Redact(), via="author_id", not_personal=["inserted_at"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(personal(ReplaceMentions(FORMER_MEMBER)))
    body: Mapped[str] = mapped_column(personal(ReplaceMentions(FORMER_MEMBER)))
    inserted_at: Mapped[datetime]
    author: Mapped[User] = relationship()


class Order(Base):
    """An order of seeds. Bookkeeping needs the row, and the note is removed."""

    __tablename__ = "orders"
    __table_args__ = (on_close(Redact(), via="user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    item: Mapped[str] = mapped_column(not_personal())
    packets: Mapped[int] = mapped_column(not_personal())
    note: Mapped[str | None] = mapped_column(personal(Clear()))
    ordered_at: Mapped[datetime] = mapped_column(not_personal())


class Invoice(Base):
    """An invoice. Tax law requires name and address for ten years."""

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
    billing_name: Mapped[str]
    billing_email: Mapped[str]
    total_cents: Mapped[int]
    issued_at: Mapped[datetime]


policy = Policy.from_metadata(Base.metadata)
