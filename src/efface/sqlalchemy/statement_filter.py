"""What a statement needs so that closed accounts are left out, decided once for its shape.

SQLAlchemy keys its cache of compiled SQL by everything that makes the SQL: classes, tables,
relationships, options. A statement whose key names nothing that leads to people cannot show any,
and is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Insert, Table, event
from sqlalchemy.orm import Mapper, registry
from sqlalchemy.sql import visitors
from sqlalchemy.sql.lambdas import StatementLambdaElement
from sqlalchemy.sql.selectable import SelectBase

from efface.policy.column_types import by_name
from efface.policy.policy import Policy
from efface.sqlalchemy.criteria_gaps import examine, unreached
from efface.sqlalchemy.user_mappers import People, mentions, people_of

MOST_SHAPES = 2000
"""How many shapes are remembered; then all are forgotten, which costs one look at each."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to a statement: the options of people and, where they do not reach, conditions.

    A statement with a ``problem`` is refused.
    """

    people: tuple[People, ...] = ()
    is_mended: bool = False
    problem: str | None = None


UNCONCERNED = Treatment()


class Statements:
    """The treatment of statements by their shape, for the people of one policy."""

    def __init__(self, policy: Policy) -> None:
        """Start without knowing any class: applications map them when they like."""
        self._deleted_at = by_name(policy.subject_table)[policy.subject.deleted_at]
        self._shapes: dict[Any, Treatment] = {}
        self._people: dict[registry, tuple[People, ...]] = {}
        self._by_mapper: dict[Mapper[Any], People | None] = {}
        self._mentions: dict[tuple[Mapper[Any], People], bool] = {}
        self._options: list[Any] = []
        event.listen(Mapper, "after_mapper_constructed", self._forget)

    def treatment(self, statement: Any) -> Treatment:
        """Return what is done to *statement*."""
        if isinstance(statement, StatementLambdaElement):
            # Its own key names a piece of code. It cannot be given a condition, only options.
            inside = self.treatment(statement._resolved)  # noqa: SLF001  # no public way to look
            what = "it is a lambda with a join() object; write it without the lambda"
            return replace(inside, problem=inside.problem or what) if inside.is_mended else inside
        key = statement._generate_cache_key()  # noqa: SLF001  # as SQLAlchemy's own caching examples do
        if key is None:
            return self._treat(statement, None)
        found = self._shapes.get(key.key)
        if found is None:
            found = self._treat(statement, key.key)
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes = {}
            self._shapes[key.key] = found
        return found

    def people_of(self, mapper: Mapper[Any] | None) -> People | None:
        """Return the class of people that rows of *mapper* can be of."""
        if mapper is None:
            return None
        if mapper not in self._by_mapper:
            known = self._known(mapper.registry)
            found = next((each for each in known if each.includes(mapper)), None)
            self._by_mapper[mapper] = found
            return found
        return self._by_mapper.get(mapper)

    def with_option(self, statement: Any, people: People) -> Any:
        """Return *statement* with the option of *people*, as ``options()`` would, unchecked."""
        statement = statement._generate()  # noqa: SLF001  # checking costs as much as a key
        statement._with_options += (people.option,)  # noqa: SLF001  # as above
        return statement

    def without_options(self, statement: Any) -> Any:
        """Return a relationship's *statement* without what it inherited from its parent's."""
        given = statement._with_options  # noqa: SLF001  # no public way to remove an option
        kept = tuple(option for option in given if option not in self._options)
        if len(kept) == len(given):
            return statement
        statement = statement._generate()  # noqa: SLF001  # as above
        statement._with_options = kept  # noqa: SLF001  # as above
        return statement

    def _forget(self, *_: object) -> None:
        """Forget what was decided: a class has been mapped since."""
        self._shapes, self._people, self._by_mapper, self._mentions = {}, {}, {}, {}

    def _known(self, mappings: registry) -> tuple[People, ...]:
        found = self._people.get(mappings)
        if found is None:
            found = people_of(mappings, self._deleted_at)
            self._options += [each.option for each in found]
            self._people[mappings] = found
        return found

    def _treat(self, statement: Any, key: Any) -> Treatment:
        leaves = set(_elements(statement) if key is None else _leaves(key))
        names = None if key is None else leaves
        mappers = [leaf for leaf in leaves if isinstance(leaf, Mapper)]
        known = {mapper.registry: self._known(mapper.registry) for mapper in mappers}
        people = tuple(
            each
            for found in known.values()
            for each in found
            if any(self._leads_to(leaf, names, each) for leaf in leaves)
        )
        if not people:
            return UNCONCERNED
        parts = list(visitors.iterate(statement))
        if isinstance(statement, Insert) and not any(isinstance(p, SelectBase) for p in parts):
            # What it returns is what it has just inserted.
            return UNCONCERNED
        is_mended = bool(unreached(statement, people))
        return Treatment(people, is_mended, examine(statement, people))

    def _leads_to(self, leaf: Any, names: set[Any] | None, people: People) -> bool:
        """Return whether *leaf* of a key is about *people*, or one of its relationships is.

        The statement can only follow relationships whose names are in it; without *names*, any.
        """
        if isinstance(leaf, Table):
            return bool(leaf == people.deleted_at.table)
        if not isinstance(leaf, Mapper):
            return False
        if people.includes(leaf):
            return True
        if (leaf, people) not in self._mentions:
            self._mentions[leaf, people] = mentions(leaf, (people,))
        return self._mentions[leaf, people] or any(
            people.includes(relation.mapper)
            for name, relation in leaf.relationships.items()
            if names is None or name in names
        )


def _leaves(key: Any) -> Iterator[Any]:
    waiting = [key]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (tuple, list, frozenset)):
            waiting.extend(part)
        elif isinstance(part, (str, Mapper, Table)):
            yield part


def _elements(statement: Any) -> Iterator[Any]:
    """Yield what a statement without a key names: tables, and the mappers of its columns."""
    for element in visitors.iterate(statement):
        annotations = getattr(element, "_annotations", {})
        for name in ("parententity", "parentmapper"):
            if (entity := annotations.get(name)) is not None:
                yield entity.mapper
        if isinstance(element, Table):
            yield element._deannotate() if annotations else element  # noqa: SLF001  # the table itself
        elif isinstance(element, Column) and isinstance(element.table, Table):
            yield element.table
