"""PostgreSQL's types and collations, resolved through domains and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Row


class Types:
    """The types and collations that the columns have, by their numbers."""

    def __init__(self, types: Iterable[Row[Any]], collations: Iterable[Row[Any]]) -> None:
        """Keep the rows of both queries."""
        self._types = {row.oid: row for row in types}
        self._collations = {row.oid: (row.name, row.deterministic) for row in collations}

    def _below(self, oid: int) -> Iterator[Row[Any]]:
        """Yield the type, and if it is a domain, those below it."""
        while oid:
            row = self._types[oid]
            yield row
            oid = row.base_oid if row.is_domain else 0

    def base(self, oid: int, declared: str) -> str:
        """Return the text of the type below any domain, with its length."""
        found = declared
        for row in self._below(oid):
            found = row.base if row.is_domain else found
        return found

    def element(self, oid: int, base: str) -> str | None:
        """Return the base type of an array's elements; None if it is no array."""
        *_, last = self._below(oid)
        if not last.element_oid:
            return None
        # The array's text has the length of its elements: character varying(10)[].
        named = base.removesuffix("[]")
        return self.base(last.element_oid, named if named != base else self._name(last.element_oid))

    def _name(self, oid: int) -> str:
        return str(self._types[oid].name)

    def is_not_null(self, oid: int) -> bool:
        """Return whether a domain refuses NULL."""
        return any(row.is_domain and row.not_null for row in self._below(oid))

    def default(self, oid: int) -> str | None:
        """Return the default of a domain; the outermost counts."""
        found = (row.default for row in self._below(oid) if row.is_domain)
        return next((each for each in found if each is not None), None)

    def checks(self, oid: int) -> Iterator[tuple[str, str]]:
        """Yield name and text of the CHECKs of domains; each calls the value VALUE."""
        for row in self._below(oid):
            yield from zip(row.check_names, row.check_texts, strict=True)

    def labels(self, oid: int) -> tuple[str, ...]:
        """Return the values of an enumeration."""
        *_, last = self._below(oid)
        return tuple(last.labels)

    def collation(self, oid: int) -> tuple[str | None, bool]:
        """Return the name of a collation, and whether text is equal only if its bytes are."""
        return self._collations.get(oid, (None, True))
