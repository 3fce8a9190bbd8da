"""Define the table that Efface owns."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
_pending = text("finalized_at IS NULL")

closings = Table(
    "efface_closings",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("reference", String(32), nullable=False, unique=True),
    # The keyed fingerprint of the primary key. Databases reuse keys, so a closing belongs to a
    # user only if `closed_at` equals the row's `deleted_at`, too.
    Column("subject", String(64), nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("receipt", Text, nullable=False),
    Column("finalized_at", DateTime(timezone=True)),
    Index("ix_efface_closings_subject", "subject", "closed_at"),
    # The queue of pending work: unfinished closings only, so it is usually empty.
    Index(
        "ix_efface_closings_pending",
        "id",
        sqlite_where=_pending,
        postgresql_where=_pending,
    ),
)
"""One row for each account closure, with its receipt."""
