"""A schema of people, and what the check says about it."""

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table

from efface import Policy, data_subject, not_personal
from efface.policy.check import check


def schema():
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    email = Column("email", String, not_personal(), unique=True)
    Table("people", metadata, key, gone, email, data_subject())
    return metadata


def said(metadata):
    """What `check` says, as (code, place)."""
    return [(p.code, p.place) for p in check(Policy.from_metadata(metadata))]
