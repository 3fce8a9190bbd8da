"""Rows for a drawn schema: every person in every table, their marker in every value of theirs."""

from __future__ import annotations

import uuid
from datetime import date
from random import Random
from typing import Any

from tests.properties.shapes import Col, Schema, Shape

State = dict[str, list[dict[str, Any]]]
"""Every row of every table."""
PER_PERSON = 2


def marker_of(person: int) -> str:
    """Return what every value of *person* contains, and no other text; their login besides."""
    return f"marker-of-{person:04d}-x"


def email_of(person: int) -> str:
    """Return the address of *person*."""
    return f"{marker_of(person)}@example.org"


def former_of(person: int) -> str:
    """Return an address that *person* had once."""
    return f"former.{email_of(person)}"


def key_of(kind: str, number: int) -> Any:
    """Return the key with this *number*."""
    if kind == "uuid":
        return uuid.UUID(int=number + (0xABCD << 96))
    return f"key-{number}" if kind == "text" else number


class Filling:
    """Fills the tables of a schema one after the other; knows whose every row is."""

    def __init__(
        self, schema: Schema, people: tuple[int, ...], random: Random, rows: int = PER_PERSON
    ) -> None:
        """Take note of whom to move in, with how many rows in each table."""
        self.rows = rows
        self.schema, self.people, self.random = schema, people, random
        self.state: State = {"people": []}
        self.owners: dict[str, list[tuple[int | None, ...]]] = {}

    def fill(self) -> State:
        """Return rows for everybody."""
        for person in self.people:
            self.state["people"].append(self._person(person))
        for number, shape in enumerate(self.schema.tables):
            self._table(number, shape)
        if self.schema.home:
            for person, row in zip(self.people, self.state["people"], strict=True):
                row["home_id"] = self._one_of("t0", 0, person)[1]["id"]
        return self.state

    def _person(self, person: int) -> dict[str, Any]:
        row = {
            "id": key_of(self.schema.key, person),
            "email": email_of(person),
            "login": marker_of(person),
            "about": f"I am {marker_of(person)}, write to {email_of(person)}!",
        }
        row |= {
            f"c{n}": _value(col, (person,), person) for n, col in enumerate(self.schema.columns)
        }
        if not self.schema.goes:
            row["deleted_at"] = None
        if self.schema.inviter:
            # The first invites everybody, herself included.
            row["inviter_id"] = key_of(self.schema.key, self.people[0])
        if self.schema.home:
            row["home_id"] = None
        return row

    def _table(self, number: int, shape: Shape) -> None:
        name = f"t{number}"
        self.state[name], self.owners[name] = [], []
        if shape.owns is not None:
            self.state[f"o{number}"] = [{"id": 1, "street": "shared"}]
        for person in self.people:
            for position in range(1 if shape.key == "same" else self.rows):
                self._row(number, shape, person, position)
        if shape.key not in ("person", "same"):
            # And a row that is nobody's.
            self._row(number, shape, None, 0)

    def _row(self, number: int, shape: Shape, person: int | None, position: int) -> None:
        name = f"t{number}"
        serial = 100 * (person or 0) + position
        row: dict[str, Any] = {}
        if shape.key in ("number", "uuid"):
            row["id"] = key_of(shape.key, serial)
        if shape.key == "person":
            row["number"] = position
        by_link: list[tuple[int | None, ...]] = []
        for position_of_link in range(len(shape.links)):
            whose = person if position_of_link == 0 else self._somebody(person, position)
            by_link.append(self._link(shape, position_of_link, whose, row))
        owners = tuple(
            by_link[mark.link][mark.onward or 0] if by_link[mark.link] else None
            for mark in shape.marks
        )
        for n, col in enumerate(shape.columns):
            row[f"c{n}"] = _value(col, owners, serial)
        if shape.peer:
            earlier = self.state[name]
            row["peer_id"] = self.random.choice(earlier)["id"] if earlier else None
        if shape.former:
            row["former"] = None if owners[0] is None else former_of(owners[0])
        if shape.owns is not None:
            row["owned_id"] = self._owned(number, owners[0], serial)
        self.state[name].append(row)
        self.owners[name].append(owners)

    def _somebody(self, person: int | None, position: int) -> int | None:
        """Return the other person in a row with two: first the next one, then anybody or nobody."""
        if person is None:
            return None
        if position == 0:
            return self.people[self.people.index(person) - 1]
        return self.random.choice([*self.people, None])

    def _link(
        self, shape: Shape, position: int, person: int | None, row: dict[str, Any]
    ) -> tuple[int | None, ...]:
        """Set the columns of a link; return whom each way on from its target leads to."""
        link, name = shape.links[position], f"l{position}"
        wide = link.to is not None and self.schema.tables[link.to].key == "person"
        if person is None:
            row |= dict.fromkeys([f"{name}_a", f"{name}_b"] if wide else [name])
            return ()
        if link.to is None:
            values = {
                "key": key_of(self.schema.key, person),
                "login": marker_of(person),
                "=login": marker_of(person),
                "=email": email_of(person),
            }
            row[name] = values[link.by]
            return (person,)
        onward = next(mark.onward or 0 for mark in shape.marks if mark.link == position)
        owners, target = self._one_of(f"t{link.to}", onward, person)
        if wide:
            row |= {f"{name}_a": target["l0"], f"{name}_b": target["number"]}
        else:
            row[name] = target["id"]
        return owners

    def _one_of(self, table: str, mark: int, person: int) -> tuple[Any, dict[str, Any]]:
        """Return a row of *table* that is the person's by this *mark*, or any."""
        rows = list(zip(self.owners[table], self.state[table], strict=True))
        mine = [each for each in rows if each[0][mark] == person]
        return self.random.choice(mine or rows)

    def _owned(self, number: int, person: int | None, serial: int) -> int:
        """Return the number of a row of one's own, or of the one that several share."""
        if person is None or self.random.random() < 0.5:  # half of them
            return 1
        street = {"id": 10 + serial, "street": f"where {marker_of(person)} lives"}
        self.state[f"o{number}"].append(street)
        return 10 + serial


def _value(col: Col, owners: tuple[int | None, ...], serial: int) -> Any:
    """Return a value that names whoever it belongs to, and nobody where it is not personal."""
    named = [marker_of(p) for n, _ in col.decisions if (p := owners[n]) is not None]
    first = named[0] if named else "nobody"
    text = " and ".join(f"by {name.upper()}!" for name in named) or "nobody"
    values = {
        "json": {"by": named, **dict.fromkeys(named, 1), "n": serial},
        "date": date(1970, 5, 1 + serial % 28),
        "address": f"192.0.2.{serial % 250}",
        "postcode": f"10{serial % 1000:03d}",
        # As long as the column, and so as long as a placeholder that fits into it.
        "short": f"{first:->20}",
        "unique": f"{first}-{serial}",
    }
    return values.get(col.kind, text)
