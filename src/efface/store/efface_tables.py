"""One MetaData for the tables that Efface owns."""

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
    # The keyed fingerprint of the subject's key. Keys are given out again, so a row belongs to
    # a person only together with the moment in the tombstone.
    Column("subject", String(64), nullable=False),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("receipt", Text, nullable=False),
    Column("finalized_at", DateTime(timezone=True)),
    Index("ix_efface_closings_subject", "subject", "closed_at"),
    # A queue: it holds what a crash left, and is empty as a rule.
    Index(
        "ix_efface_closings_pending",
        "id",
        sqlite_where=_pending,
        postgresql_where=_pending,
    ),
)
"""One row for each closing: the first receipt is answered from here."""
