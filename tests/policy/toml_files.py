"""Policies read from TOML, and what is said about a refused file."""

import enum

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Table

from efface import Policy
from efface.errors import PolicyFileError


class Status(enum.Enum):
    """What an account can be."""

    OPEN = 1
    GONE = 2


def people(*columns, marker=None):
    """A table of people that nobody has marked yet, with these further columns."""
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("people", metadata, key, gone, *columns, *([marker] if marker else []))
    return metadata


def read(tmp_path, text, metadata=None):
    """The policy that *text* declares."""
    path = tmp_path / "efface.toml"
    path.write_text(text, encoding="utf-8")
    return Policy.from_file(path, metadata if metadata is not None else people())


def refused(tmp_path, text, metadata=None):
    """What is said about *text*: the texts of all problems, with their places."""
    with pytest.raises(PolicyFileError) as caught:
        read(tmp_path, text, metadata)
    return [(problem.place, problem.text) for problem in caught.value.problems]
