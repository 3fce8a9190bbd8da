"""The laws once more, in Python and row by row: what a closing ought to do to drawn rows.

Slow and naive on purpose, and knows no SQL: what it says and what the database holds are compared.
"""

from __future__ import annotations

import copy
import re
from datetime import date
from typing import Any

from efface import Clear, Generalize, Placeholder, Redact, ReplaceMentions, Retain
from tests.properties.rows import State, email_of, former_of, key_of, marker_of
from tests.properties.schema import goes
from tests.properties.shapes import Schema, Shape

TOKEN = "<placeholder>"  # what every placeholder is compared as
Row = dict[str, Any]


class Model:
    """What ought to be in the tables of a schema after people have left."""

    def __init__(self, schema: Schema, state: State, now: Any) -> None:
        """Begin with a copy of *state*."""
        self.schema, self.now = schema, now
        self.state = copy.deepcopy(state)

    # ------------------------------------------------------------ whose a row is

    def reaches(self, shape: Shape, row: Row, mark: int, person: Row) -> bool:
        """Return whether this *mark* leads from *row* to *person*."""
        way = shape.marks[mark]
        link, name = shape.links[way.link], f"l{way.link}"
        if link.to is None:
            column = {"key": "id", "login": "login"}.get(link.by, link.by[1:])
            return row[name] is not None and _same(row[name], person[column])
        there = self.schema.tables[link.to]
        for target in self.state[f"t{link.to}"]:
            if there.key == "person":
                meets = (row[f"{name}_a"], row[f"{name}_b"]) == (target["l0"], target["number"])
            else:
                meets = row[name] is not None and row[name] == target["id"]
            if meets:
                return self.reaches(there, target, way.onward or 0, person)
        return False

    def fate(self, shape: Shape, row: Row, person: Row) -> tuple[str, set[int]]:
        """Return what happens to *row* when *person* leaves, and by which marks it is theirs."""
        mine = {n for n in range(len(shape.marks)) if self.reaches(shape, row, n, person)}
        actions = [shape.marks[n].action for n in mine]
        if any(isinstance(action, Retain) for action in actions):
            return "kept", mine
        keeping = [n for n in mine if isinstance(shape.marks[n].action, Redact)]
        going = [n for n in mine if goes(shape.marks[n].action)]
        for way in going:
            # What leads to the row still, when the link that kept it has been cut, takes it away.
            if all(self.cut(shape, n) and not self.cut(shape, way) for n in keeping):
                return "gone", mine
        return ("redacted" if keeping else "others'"), mine

    def cut(self, shape: Shape, mark: int) -> bool:
        """Return whether redacting writes over a column on the way that a *mark* stands for."""
        way = shape.marks[mark]
        link = shape.links[way.link]
        if shape.cuts(mark):
            return True
        return link.to is not None and self.cut(self.schema.tables[link.to], way.onward or 0)

    # ------------------------------------------------------------ leaving

    def close(self, number: int) -> None:
        """Let one person leave."""
        key = key_of(self.schema.key, number)
        person = next(row for row in self.state["people"] if row["id"] == key)
        named = self._identifiers(number, person)
        fates = {
            n: [self.fate(shape, row, person) for row in self.state[f"t{n}"]]
            for n, shape in enumerate(self.schema.tables)
        }
        owned = {n: self._owned(n, fates[n]) for n in fates if self.schema.tables[n].owns}
        for n, found in fates.items():
            self._table(n, found, named)
        for n, keys in owned.items():
            self._owned_rows(n, keys)
        self._own_row(person, named)

    def _identifiers(self, number: int, person: Row) -> list[str]:
        known = [email_of(number), marker_of(number)]
        for n, shape in enumerate(self.schema.tables):
            rows = self.state[f"t{n}"]
            if shape.former and any(
                row["former"] and self.reaches(shape, row, 0, person) for row in rows
            ):
                known.append(former_of(number))
        return known

    def _table(self, number: int, fates: list[tuple[str, set[int]]], named: list[str]) -> None:
        shape, kept = self.schema.tables[number], []
        for row, (fate, mine) in zip(self.state[f"t{number}"], fates, strict=True):
            if fate == "gone":
                continue
            if fate == "redacted":
                self._redact(shape, row, mine, named)
            kept.append(row)
        self.state[f"t{number}"] = kept

    def _redact(self, shape: Shape, row: Row, mine: set[int], named: list[str]) -> None:
        for n, col in enumerate(shape.columns):
            for action in in_order([a for mark, a in col.decisions if mark in mine]):
                row[f"c{n}"] = changed(action, row[f"c{n}"], named)
        for mark in mine:
            link = shape.links[shape.marks[mark].link]
            if link.unlink or link.by[0] == "=":
                row[f"l{shape.marks[mark].link}"] = None
        if shape.former:
            row["former"] = None
        if shape.owns is not None:
            row["owned_id"] = None

    def _owned(self, number: int, fates: list[tuple[str, set[int]]]) -> set[int]:
        """Return the keys of owned rows that only rows of the person refer to."""
        mine, others = set(), set()
        for row, (_, reached) in zip(self.state[f"t{number}"], fates, strict=True):
            (mine if reached else others).add(row["owned_id"])
        return mine - others - {None}

    def _owned_rows(self, number: int, keys: set[int]) -> None:
        rows = self.state[f"o{number}"]
        if goes(self.schema.tables[number].owns):
            self.state[f"o{number}"] = [row for row in rows if row["id"] not in keys]
            return
        for row in rows:
            if row["id"] in keys:
                row["street"] = None

    def _own_row(self, person: Row, named: list[str]) -> None:
        if self.schema.goes:
            self.state["people"].remove(person)
            return
        for n, shape in enumerate(self.schema.tables):
            for position, link in enumerate(shape.links):
                for row in self.state[f"t{n}"]:
                    if link.by == "login" and _same(row[f"l{position}"], person["login"]):
                        # The database follows a changed key: ON UPDATE CASCADE.
                        row[f"l{position}"] = TOKEN
        person |= {"email": TOKEN, "login": TOKEN, "deleted_at": self.now}
        person["about"] = changed(ReplaceMentions("someone"), person["about"], named)
        for n, col in enumerate(self.schema.columns):
            for _, action in col.decisions:
                person[f"c{n}"] = changed(action, person[f"c{n}"], named)


def _same(one: Any, other: Any) -> bool:
    """Compare two keys as a database does that takes small letters for capitals."""
    return str(one).lower() == str(other).lower()


def in_order(actions: list[Any]) -> list[Any]:
    """Return what is done to one value: edits of it in turn, or the first that replaces it."""
    edits = [a for a in actions if isinstance(a, (ReplaceMentions, Generalize))]
    return [*edits, *[a for a in actions if a not in edits][:1]]


def changed(action: Any, value: Any, named: list[str]) -> Any:
    """Return what *action* makes of one value of a person known as *named*."""
    if isinstance(action, Clear) or value is None:
        return None if isinstance(action, (Clear, ReplaceMentions, Generalize)) else _new(action)
    if isinstance(action, ReplaceMentions):
        return _without(value, named, action.replacement)
    return _coarser(action, value) if isinstance(action, Generalize) else _new(action)


def _new(action: Any) -> Any:
    return TOKEN if isinstance(action, Placeholder) else action.value


def _without(value: Any, named: list[str], instead: str) -> Any:
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, item in value.items():
            new = name = _without(key, named, instead)
            # Two keys may name the person; neither value may swallow another.
            number = 1
            while name != key and (name in made or name in value):
                number += 1
                name = f"{new} ({number})"
            made[name] = _without(item, named, instead)
        return made
    if isinstance(value, list):
        return [_without(each, named, instead) for each in value]
    if not isinstance(value, str):
        return value
    for name in sorted(named, key=len, reverse=True):
        value = re.sub(re.escape(name), instead, value, flags=re.IGNORECASE)
    return value


def _coarser(action: Generalize, value: Any) -> Any:
    if isinstance(value, date):
        return value.replace(day=1) if action.to == "month" else value.replace(month=1, day=1)
    return value[: action.to] if isinstance(action.to, int) else value.rsplit(".", 1)[0] + ".0"
