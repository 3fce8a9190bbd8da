"""Drawn schemas without rules, and what pasting the first line of each problem makes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

from efface import Policy, data_subject
from efface.console.pasted_toml import rules_in
from efface.errors import Problem

PEOPLE = (1, 2, 3)
NAMES = ("author_id", "user_id", "approver_id", "seen_by")
"""Columns that refer to people; the first in this order is the writer's."""
KINDS: dict[str, Any] = {
    "text": lambda: [Text],
    "short": lambda: [String(2)],
    "flag": lambda: [Boolean],
    "day": lambda: [Date],
    "mode": lambda: [Integer],
    "state": lambda: [Enum("open", "done", native_enum=False)],
    "ip": lambda: [String(45)],
    "secret": lambda: [Uuid],
    "code": lambda: [String(60)],
    "key": lambda: [String(6)],
}


@dataclass(frozen=True)
class Ref:
    """A reference to people or to another table, as its model has it."""

    to: int | None
    name: str
    required: bool
    on_delete: str | None


@dataclass(frozen=True)
class Undecided:
    """A table: what it refers to, and its other columns, required or not."""

    refs: tuple[Ref, ...]
    columns: tuple[tuple[str, bool], ...]


@st.composite
def undecided(draw: st.DrawFn) -> tuple[Undecided, ...]:
    """Draw two to five tables; a reference may lead to an earlier one, or to the table itself."""
    tables = []
    for number in range(draw(st.integers(2, 5))):
        names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        refs = [draw(_refs(None, name)) for name in names]
        targets = draw(st.lists(st.integers(0, number), unique=True, max_size=2))
        refs += [draw(_refs(to, f"t{to}_id", may_require=to != number)) for to in targets]
        kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=4))
        columns = tuple((kind, draw(st.booleans())) for kind in kinds)
        tables.append(Undecided(tuple(refs), columns))
    return tuple(tables)


@st.composite
def _refs(draw: st.DrawFn, to: int | None, name: str, *, may_require: bool = True) -> Ref:
    required = may_require and draw(st.booleans())
    said = ["CASCADE", "CASCADE", "RESTRICT", None, *([] if required else ["SET NULL"])]
    return Ref(to, name, required, draw(st.sampled_from(said)))


def metadata_of(tables: tuple[Undecided, ...]) -> MetaData:
    """Return the tables; only that of people has a rule."""
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    email = Column("email", String(80), unique=True, nullable=False)
    key = Column("id", Integer, primary_key=True)
    Table("people", metadata, key, email, gone, data_subject(identifiers=["email"]))
    for number, table in enumerate(tables):
        items: list[Any] = [Column("id", Integer, primary_key=True)]
        for ref in table.refs:
            target = "people.id" if ref.to is None else f"t{ref.to}.id"
            key = ForeignKey(target, ondelete=ref.on_delete)
            items.append(Column(ref.name, key, nullable=not ref.required, index=True))
        for kind, required in table.columns:
            unique = kind in ("code", "key")
            items.append(Column(kind, *KINDS[kind](), nullable=not required, unique=unique))
            if kind == "mode":
                items.append(CheckConstraint("mode IN (1, 2)"))
        Table(f"t{number}", metadata, *items)
    return metadata


def rows_of(tables: tuple[Undecided, ...], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return six rows of each table, that refer to anybody and anything."""
    random, found = Random(seed), {}
    found["people"] = [{"id": n, "email": f"person-{n}@example.org"} for n in PEOPLE]
    for number, table in enumerate(tables):
        rows = found[f"t{number}"] = []
        for position in range(1, 7):
            row: dict[str, Any] = {"id": position}
            for ref in table.refs:
                # In a table itself, only to rows that are there already.
                keys = range(1, position) if ref.to == number else range(1, 7)
                keys = PEOPLE if ref.to is None else keys
                row[ref.name] = random.choice([*keys, *([] if ref.required else [None])] or [None])
            row |= {kind: _value(kind, position, random) for kind, _ in table.columns}
            rows.append(row)
    return found


def _value(kind: str, position: int, random: Random) -> Any:
    return {
        "text": f"text {position}",
        "short": "ab",
        "flag": random.choice([True, False]),
        "day": date(1990, 5, position),
        "mode": random.choice([1, 2]),
        "state": random.choice(["open", "done"]),
        "ip": f"192.0.2.{position}",
        "secret": UUID(int=random.getrandbits(128)),
        "code": f"code-{position}",
        "key": f"key-{position}",
    }[kind]


# ---------------------------------------------------------------- pasting

_PLACE = re.compile(r"on (\S+):$")


def pasted(metadata: MetaData, problems: list[Problem]) -> None:
    """Paste the first line of each problem where its message says."""
    done = set()
    for problem in problems:
        parent = _PLACE.search(problem.text)
        name = parent[1] if parent and parent[1] in metadata.tables else problem.table
        lines = [line for line in problem.paste.splitlines() if not line.startswith("# ")]
        # One line for a column, and all lines for a table.
        for line in lines[:1] if problem.column and not parent else lines:
            code, _, comment = line.partition("    # ")
            column = comment.removeprefix("on ")
            column = column if column in metadata.tables[name].c else problem.column
            rules = rules_in(code)
            if (name, column, code) not in done:
                done.add((name, column, code))
                _attach(metadata.tables[name], column, rules)


def _attach(table: Table, column: str | None, items: list[Any]) -> None:
    """Give a table or a column these rules, in place of those about the same."""
    for item in items:
        if item.place is Table:
            same = [
                key
                for key, rule in table.info.items()
                if type(rule) is type(item.rule)
                and getattr(rule, "via", None) == getattr(item.rule, "via", None)
            ]
            for key in same:
                del table.info[key]
            item._set_parent(table)
        else:
            target = table.c[column]
            for key in [k for k, r in target.info.items() if r.via == item.rule.via]:
                del target.info[key]
            item._set_parent(target)


def policy_of(metadata: MetaData) -> Policy:
    """Return the policy that the tables declare now."""
    return Policy.from_metadata(metadata)
