"""A schema as a few words per column, so that one schema can carry several policies.

A table is a line with its name and indented lines with its columns, separated by commas:

    votes
        id key, user_id big -> users index, comment_id? big -> comments, reason? text1,
        index user_id+comment_id

``?`` accepts NULL, ``->`` is a foreign key, ``~>`` a reference that only the application knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
KEY = BigInteger().with_variant(Integer, "sqlite")
TYPES: Mapping[str, Any] = {
    "key": KEY,
    "big": BigInteger,
    "int": Integer,
    "small": SmallInteger,
    "flag": Boolean,
    "real": Float,
    "text": Text,
    "time": DateTime,
    "moment": DateTime(timezone=True),
}

Marks = Mapping[str, Sequence[SchemaItem]]


def build(words: str, marks: Marks | None = None) -> MetaData:
    """Return the tables that *words* describe, with *marks* by ``table`` and ``table.column``."""
    marks = marks or {}
    metadata = MetaData()
    for name, parts in _tables(words):
        items = [_item(name, part.split(), marks) for part in parts]
        Table(name, metadata, *items, *marks.get(name, ()))
    unused = set(marks) - set(metadata.tables) - _columns(metadata)
    if unused:
        raise KeyError(*sorted(unused))
    return metadata


def undeclared(words: str) -> dict[str, str]:
    """Return the references that the database does not know, as ``table.column`` to table."""
    return {
        f"{name}.{part.split()[0].rstrip('?')}": part.split()[part.split().index("~>") + 1]
        for name, parts in _tables(words)
        for part in parts
        if "~>" in part
    }


def _tables(words: str) -> Iterator[tuple[str, list[str]]]:
    name, parts = "", ""
    for line in words.strip().splitlines():
        if line and not line[0].isspace():
            if name:
                yield name, _split(parts)
            name, parts = line.strip(), ""
        else:
            parts += " " + line.strip()
    yield name, _split(parts)


def _split(parts: str) -> list[str]:
    return [part.strip() for part in parts.split(",") if part.strip()]


def _item(table: str, words: list[str], marks: Marks) -> SchemaItem:
    if words[0] in ("index", "unique"):
        columns = words[1].split("+")
        if words[0] == "unique":
            return UniqueConstraint(*columns)
        return Index(f"ix_{table}_{'_'.join(columns)}", *columns)
    name, kind = words[0].rstrip("?"), words[1]
    length = kind.removeprefix("text")
    items: list[SchemaItem] = list(marks.get(f"{table}.{name}", ()))
    if "->" in words:
        target = words[words.index("->") + 1]
        items.append(ForeignKey(target if "." in target else f"{target}.id"))
    return Column(
        name,
        String(int(length)) if length.isdigit() else TYPES[kind],
        *items,
        primary_key=kind == "key" or "main" in words,
        nullable=words[0].endswith("?"),
        unique="unique" in words or None,
        index="index" in words or None,
    )


def _columns(metadata: MetaData) -> set[str]:
    return {f"{t.name}.{c.name}" for t in metadata.tables.values() for c in t.columns}
