"""Find out how to hide closed accounts from a statement, once for each shape of statement.

SQLAlchemy keys its cache of compiled SQL by everything that changes the SQL: classes, tables,
relationships, options. If nothing in the key can reach the user table, Efface leaves the statement
unchanged.
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
from efface.sqlalchemy.criteria_gaps import find_problem, find_unfiltered
from efface.sqlalchemy.user_mappers import UserClass, find_user_classes, has_user_expression

MAX_SHAPES = 2000
"""The most shapes in the cache. Then Efface clears it, and examines each shape once more."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How Efface changes a statement: the options of user classes, and further conditions.

    Efface refuses a statement that has a ``problem``.
    """

    user_classes: tuple[UserClass, ...] = ()
    needs_conditions: bool = False
    problem: str | None = None


NO_REWRITE = Rewrite()


class StatementFilter:
    """Find the rewrite of statements by their shape, for the user table of one policy."""

    def __init__(self, policy: Policy) -> None:
        """Start with empty caches, because applications map classes at any time."""
        self._deleted_at = by_name(policy.subject_table)[policy.subject.deleted_at]
        self._shapes: dict[Any, Rewrite] = {}
        self._user_classes: dict[registry, tuple[UserClass, ...]] = {}
        self._by_mapper: dict[Mapper[Any], UserClass | None] = {}
        self._has_expression: dict[tuple[Mapper[Any], UserClass], bool] = {}
        self._options: list[Any] = []
        event.listen(Mapper, "after_mapper_constructed", self._clear_caches)

    def find_rewrite(self, statement: Any) -> Rewrite:
        """Return how to change *statement*; statements of one shape share the result."""
        if isinstance(statement, StatementLambdaElement):
            # The key of a lambda statement is its Python code, so it does not name any class. Such
            # a statement accepts options, but no further condition.
            resolved = self.find_rewrite(statement._resolved)  # noqa: SLF001  # no public way to look
            what = "it is a lambda with a join() object (write it without the lambda)"
            return (
                replace(resolved, problem=resolved.problem or what)
                if resolved.needs_conditions
                else resolved
            )
        key = statement._generate_cache_key()  # noqa: SLF001  # as SQLAlchemy's own caching examples do
        if key is None:
            return self._make_rewrite(statement, None)
        found = self._shapes.get(key.key)
        if found is None:
            found = self._make_rewrite(statement, key.key)
            if len(self._shapes) >= MAX_SHAPES:
                # A limit, because statements with generated SQL could make the cache grow forever.
                self._shapes = {}
            self._shapes[key.key] = found
        return found

    def find_user_class(self, mapper: Mapper[Any] | None) -> UserClass | None:
        """Return the user class whose rows *mapper* can load, or None."""
        if mapper is None:
            return None
        if mapper not in self._by_mapper:
            user_classes = self._find_user_classes(mapper.registry)
            found = next((each for each in user_classes if each.includes(mapper)), None)
            self._by_mapper[mapper] = found
            return found
        return self._by_mapper.get(mapper)

    def with_option(self, statement: Any, user_class: UserClass) -> Any:
        """Return *statement* with the option of *user_class*, without the usual checks."""
        statement = statement._generate()  # noqa: SLF001  # checking costs as much as a key
        statement._with_options += (user_class.option,)  # noqa: SLF001  # as above
        return statement

    def without_options(self, statement: Any) -> Any:
        """Return a relationship's *statement* without the options inherited from its parent."""
        given = statement._with_options  # noqa: SLF001  # no public way to remove an option
        kept = tuple(option for option in given if option not in self._options)
        if len(kept) == len(given):
            return statement
        statement = statement._generate()  # noqa: SLF001  # as above
        statement._with_options = kept  # noqa: SLF001  # as above
        return statement

    def _clear_caches(self, *_: object) -> None:
        """Clear the caches, because a new mapped class may change each result."""
        self._shapes, self._user_classes, self._by_mapper, self._has_expression = {}, {}, {}, {}

    def _find_user_classes(self, mappings: registry) -> tuple[UserClass, ...]:
        found = self._user_classes.get(mappings)
        if found is None:
            found = find_user_classes(mappings, self._deleted_at)
            self._options += [each.option for each in found]
            self._user_classes[mappings] = found
        return found

    def _make_rewrite(self, statement: Any, key: Any) -> Rewrite:
        """Examine *statement* and return how to change it."""
        leaves = set(_iterate_elements(statement) if key is None else _iterate_key_leaves(key))
        names = None if key is None else leaves
        mappers = [leaf for leaf in leaves if isinstance(leaf, Mapper)]
        user_classes_by_registry = {
            mapper.registry: self._find_user_classes(mapper.registry) for mapper in mappers
        }
        user_classes = tuple(
            each
            for found in user_classes_by_registry.values()
            for each in found
            if any(self._can_reach(leaf, names, each) for leaf in leaves)
        )
        if not user_classes:
            return NO_REWRITE
        parts = list(visitors.iterate(statement))
        if isinstance(statement, Insert) and not any(isinstance(p, SelectBase) for p in parts):
            # It can only return the rows that it has just inserted.
            return NO_REWRITE
        needs_conditions = bool(find_unfiltered(statement, user_classes))
        return Rewrite(user_classes, needs_conditions, find_problem(statement, user_classes))

    def _can_reach(self, leaf: Any, names: set[Any] | None, user_class: UserClass) -> bool:
        """Return whether *leaf* of a cache key is about *user_class*, or has a relationship to it.

        A statement can only follow relationships whose *names* are in its key. If it has no key,
        *names* is None, and every relationship counts.
        """
        if isinstance(leaf, Table):
            return bool(leaf == user_class.deleted_at.table)
        if not isinstance(leaf, Mapper):
            return False
        if user_class.includes(leaf):
            return True
        if (leaf, user_class) not in self._has_expression:
            self._has_expression[leaf, user_class] = has_user_expression(leaf, (user_class,))
        return self._has_expression[leaf, user_class] or any(
            user_class.includes(relation.mapper)
            for name, relation in leaf.relationships.items()
            if names is None or name in names
        )


def _iterate_key_leaves(key: Any) -> Iterator[Any]:
    """Yield the strings, mappers and tables in a cache key."""
    waiting = [key]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (tuple, list, frozenset)):
            waiting.extend(part)
        elif isinstance(part, (str, Mapper, Table)):
            yield part


def _iterate_elements(statement: Any) -> Iterator[Any]:
    """Yield the tables and mappers of a statement that has no cache key."""
    for element in visitors.iterate(statement):
        annotations = getattr(element, "_annotations", {})
        for name in ("parententity", "parentmapper"):
            if (entity := annotations.get(name)) is not None:
                yield entity.mapper
        if isinstance(element, Table):
            yield element._deannotate() if annotations else element  # noqa: SLF001  # the table itself
        elif isinstance(element, Column) and isinstance(element.table, Table):
            yield element.table
