"""Whoever is being closed, while it runs: values that links need, and what to look for.

Lives in memory only, and shows nothing of itself: not in ``repr``, not in pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from efface.plan.driver import Driver
from efface.plan.mentions import Needles
from efface.plan.program import Program
from efface.policy.actions import Placeholder
from efface.policy.rules import PersonalColumn


@dataclass(frozen=True, repr=False)
class Person:
    """One subject as the row was when it was locked."""

    key: tuple[Any, ...]
    read: Mapping[str, Any]
    needles: Needles
    closed_at: datetime | None

    def __repr__(self) -> str:
        """Return nothing personal."""
        return "<Person>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Leave the person behind: nothing of them is ever saved."""
        raise TypeError("A person that is being closed is never saved.")


class People:
    """The subjects of one closing: one, or many at once."""

    __slots__ = ("_by_column", "many", "persons", "values")

    def __init__(self, program: Program, persons: Sequence[Person]) -> None:
        """Work out the parameters of the statements."""
        self.many = program.many
        self.persons = tuple(persons)
        self.values = _parameters(program, self.persons)
        self._by_column: dict[str, dict[Any, Person]] = {}

    def __repr__(self) -> str:
        """Return how many, never who."""
        return f"<People: {len(self.persons)}>"

    @property
    def only(self) -> Person:
        """Return the one subject of a closing of one."""
        (person,) = self.persons
        return person

    def needles_of(self, column: str, owner: Any) -> Needles | None:
        """Return what to look for in a row whose owner has this value in the subject's *column*.

        None where the row is nobody's of these. For one subject *owner* only says whether the
        row is theirs.
        """
        if not self.many:
            return self.only.needles if owner else None
        known = self._by_column.get(column)
        if known is None:
            known = {_folded(p.read[column]): p for p in self.persons}
            self._by_column[column] = known
        person = known.get(_folded(owner))
        return person.needles if person else None


def capture(
    driver: Driver, program: Program, rows: Sequence[tuple[Any, ...]], *, with_needles: bool = True
) -> People:
    """Return what the rest of a closing needs to know from the subjects' *rows*."""
    reads = [dict(zip(program.read_columns, row, strict=True)) for row in rows]
    people = People(program, [_person(program, read, ()) for read in reads])
    if not with_needles:
        return people
    found: list[list[Any]] = [[] for _ in reads]
    for table in program.tables:
        for column, statement in table.captures:
            where = {_folded(read[column]): i for i, read in enumerate(reads)}
            for owner, *values in driver.rows(statement, people.values):
                found[where.get(_folded(owner), 0) if program.many else 0] += values
    made = [m.action for m in program.own.columns if isinstance(m.action, Placeholder)]
    persons = []
    for read, others in zip(reads, found, strict=True):
        named = [read[name] for name in program.policy.subject.identifiers] + others
        texts = [v for v in named if not any(action.made(v) for action in made)]
        persons.append(_person(program, read, texts))
    return People(program, persons)


def _person(program: Program, read: dict[str, Any], named: Sequence[Any]) -> Person:
    closed_at = read.get(program.tombstone) if program.tombstone else None
    key = tuple(read[name] for name in program.key_names)
    return Person(key, read, Needles(named), aware(closed_at))


def _parameters(program: Program, persons: Sequence[Person]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    marks = {mark.name: mark for mark in program.own.columns}
    for name in program.read_columns:
        mark = marks.get(name)
        all_of_them = [person.read[name] for person in persons]
        linkable = [_linkable(value, mark) for value in all_of_them]
        if program.many:
            values[f"subject_{name}"] = [v for v in all_of_them if v is not None]
            values[f"match_{name}"] = [v for v in linkable if v is not None]
        else:
            values[f"subject_{name}"], values[f"match_{name}"] = all_of_them[0], linkable[0]
    return values


def _linkable(value: Any, mark: PersonalColumn | None) -> Any:
    """Return *value* unless it is one that matches nothing: blank, or a placeholder."""
    if isinstance(value, str) and not value.strip():
        return None
    if mark is not None and isinstance(mark.action, Placeholder) and mark.action.made(value):
        return None
    return value


def _folded(value: Any) -> Any:
    # Links by value may be equal to the database and differ in case.
    return value.casefold() if isinstance(value, str) else value


def aware(moment: datetime | None) -> datetime | None:
    """Return *moment* as aware UTC; drivers without time zones hand it over naive."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
