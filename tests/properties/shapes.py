"""Drawn schemas as values: people, tables, links, columns and what happens to each.

Every shape has a valid policy by construction. Hypothesis shrinks a failing one to the few links
and columns that matter, and its ``repr`` shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from hypothesis import strategies as st

from efface import (
    Basis,
    Clear,
    Delete,
    Generalize,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
)

GONE = "someone"
RETAIN = Retain("P3Y", Basis.LEGAL_OBLIGATION, "a law")
GOES = (Delete(), Revoke())
STAYS = (Redact(), RETAIN)

COLUMNS = {
    "text": (Clear(), Replace("gone"), Placeholder(), ReplaceMentions(GONE)),
    "required": (Replace("gone"), Placeholder(), ReplaceMentions(GONE)),
    "short": (Clear(), Replace("gone"), Placeholder()),
    "json": (Clear(), Replace({}), ReplaceMentions(GONE)),
    "date": (Clear(), Replace(date(1900, 1, 1)), Generalize("year"), Generalize("month")),
    "address": (Clear(), Generalize("/24")),
    "postcode": (Clear(), Generalize(2)),
    "unique": (Clear(), Placeholder()),
}
"""The kinds of columns, and the actions that are possible on each."""


@dataclass(frozen=True)
class Mark:
    """One way from a row to a person: the link it starts with, and how it goes on there."""

    link: int
    action: Any
    onward: int | None = None


@dataclass(frozen=True)
class Link:
    """One reference: to the people, or to an earlier table; by key, by another column, by value."""

    to: int | None = None
    by: str = "key"
    unlink: bool = False


@dataclass(frozen=True)
class Col:
    """A column, and what happens to it for each mark whose person's value it is."""

    kind: str
    decisions: tuple[tuple[int, Any], ...]


@dataclass(frozen=True)
class Shape:
    """One table. ``owns`` is the action on rows it refers to and owns, where it does."""

    key: str
    links: tuple[Link, ...]
    marks: tuple[Mark, ...]
    columns: tuple[Col, ...]
    peer: bool = False
    former: bool = False
    owns: Any = None

    @property
    def stays(self) -> bool:
        """Whether none of its rows ever goes."""
        return all(isinstance(mark.action, (Redact, Retain)) for mark in self.marks)

    def cuts(self, mark: int) -> bool:
        """Whether redacting a row writes over the link of this *mark*."""
        link = self.links[self.marks[mark].link]
        return self.redacts and (link.unlink or link.by[0] == "=")

    @property
    def redacts(self) -> bool:
        """Whether some of its rows stay without their values."""
        return any(isinstance(mark.action, Redact) for mark in self.marks)


@dataclass(frozen=True)
class Schema:
    """All of it. ``home`` closes a circle: people refer to the first table, and it to them."""

    key: str
    goes: bool
    columns: tuple[Col, ...]
    inviter: bool
    home: bool
    tables: tuple[Shape, ...]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Draw a schema with one to four tables besides the people."""
    goes = draw(st.integers(0, 7)) == 7
    tables: list[Shape] = []
    for _ in range(draw(st.integers(1, 4))):
        tables.append(draw(_shapes(tuple(tables), goes=goes)))
    first = tables[0]
    return Schema(
        key=draw(st.sampled_from(["number", "uuid", "text"])),
        goes=goes,
        columns=() if goes else draw(_columns((Mark(0, Redact()),))),
        inviter=not goes and draw(st.booleans()),
        home=not goes and first.stays and first.key in ("number", "uuid") and draw(st.booleans()),
        tables=tuple(tables),
    )


@st.composite
def _shapes(draw: st.DrawFn, made: tuple[Shape, ...], *, goes: bool) -> Shape:
    targets = [n for n, shape in enumerate(made) if shape.key in ("number", "uuid", "person")]
    kinds = [
        "people",
        "people",
        "login",
        "value",
        "pair",
        "pair",
        "mixed",
        *["table"] * len(targets),
    ]
    kind = draw(st.sampled_from(kinds))
    if kind == "table":
        links, marks = draw(_onward(made, draw(st.sampled_from(targets))))
    else:
        links = {
            "people": (Link(),),
            "login": (Link(by="login"),),
            "value": (Link(by=draw(st.sampled_from(["=email", "=login"]))),),
            "pair": (Link(), Link()),
            "mixed": (Link(), Link(by="=email")),
        }[kind]
        marks = tuple(
            Mark(n, draw(st.sampled_from(GOES if goes and link.by[0] != "=" else GOES + STAYS)))
            for n, link in enumerate(links)
        )
    keys = ["number", "number", "uuid", "none"]
    if kind in ("people", "pair"):
        keys.append("person")
    if kind == "people":
        keys.append("same")
    key = draw(st.sampled_from(keys))
    if kind == "mixed" and goes:
        # A row that is kept, whatever it says, would refer to a person's row that goes.
        marks = tuple(
            mark if mark.action != RETAIN else Mark(mark.link, Delete()) for mark in marks
        )
    redacts = any(isinstance(mark.action, Redact) for mark in marks)
    plain = len(marks) == 1 and kind != "value"
    if redacts and key in ("number", "uuid", "none"):
        links = tuple(
            Link(link.to, link.by, unlink=kind in ("people", "pair") and draw(st.booleans()))
            for link in links
        )
    return Shape(
        key=key,
        links=links,
        marks=marks,
        columns=draw(_columns(marks)),
        peer=key in ("number", "uuid")
        and all(isinstance(mark.action, (Redact, Retain)) for mark in marks)
        and draw(st.booleans()),
        former=plain and draw(st.booleans()),
        owns=draw(_ownership()) if plain and not isinstance(marks[0].action, Retain) else None,
    )


@st.composite
def _onward(
    draw: st.DrawFn, made: tuple[Shape, ...], to: int
) -> tuple[tuple[Link, ...], tuple[Mark, ...]]:
    """Draw a link to an earlier table that follows it on: on every way by which its rows go."""
    target = made[to]
    nameable = all(target.links[mark.link].by[0] != "=" for mark in target.marks)
    if len(target.marks) > 1 and (target.key == "person" or not nameable):
        # Such a link cannot be named, so refer to the people beside it.
        return (Link(),), (Mark(0, draw(st.sampled_from(GOES))),)
    going = [n for n, mark in enumerate(target.marks) if isinstance(mark.action, (Delete, Revoke))]
    chosen = going or [draw(st.integers(0, len(target.marks) - 1))]
    if going and draw(st.booleans()):
        chosen = list(range(len(target.marks)))
    # What is kept by a link that is cut would refer to a row that goes by another.
    stays = {n: (Redact(),) if going and target.cuts(n) else STAYS for n in chosen}
    marks = tuple(
        Mark(
            0,
            draw(st.sampled_from(GOES if n in going else GOES + stays[n])),
            n if len(target.marks) > 1 else None,
        )
        for n in chosen
    )
    return (Link(to),), marks


@st.composite
def _columns(draw: st.DrawFn, marks: tuple[Mark, ...]) -> tuple[Col, ...]:
    """Draw columns; every mark has at least one that holds its person's value."""
    columns = []
    owners = [[n] for n in range(len(marks))]
    some = st.lists(st.integers(0, len(marks) - 1), unique=True, max_size=2)
    owners += draw(st.lists(some, max_size=3))
    for owner in owners:
        # What several people share has to be text, in which all of them can be named.
        kinds = ["text", "required", "json"] if len(owner) > 1 else sorted(COLUMNS)
        kind = draw(st.sampled_from(kinds))
        # With one action for all of them: with several the last who leaves would decide.
        action = draw(st.sampled_from(COLUMNS[kind]))
        columns.append(Col(kind, tuple((n, action) for n in sorted(owner))))
    return tuple(columns)


@st.composite
def _ownership(draw: st.DrawFn) -> Any:
    """Draw what happens to rows that the table's rows own; mostly there are none."""
    return draw(st.sampled_from([None, None, None, Delete(), Redact()]))
