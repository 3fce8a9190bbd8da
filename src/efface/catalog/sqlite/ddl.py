"""The facts that SQLite tells only in the text of its CREATE statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from efface.catalog.relation import Timing
from efface.catalog.tokens import Token, group, source, split, tokens

_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_EVENTS = frozenset({"INSERT", "UPDATE", "DELETE"})


@dataclass
class TableText:
    """The parts of a CREATE TABLE.

    Attributes:
        collations: The collation of each column that names one.
        generated: The expression of each computed column.
        checks: Name and text of each CHECK.
        references: For each foreign key, in order, whether it is deferrable, and deferred.
        is_without_rowid: Whether the table has no rowid.
    """

    collations: dict[str, str] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)
    checks: list[tuple[str | None, str]] = field(default_factory=list)
    references: list[tuple[bool, bool]] = field(default_factory=list)
    is_without_rowid: bool = False


def table_text(sql: str) -> TableText:
    """Return what a CREATE TABLE says."""
    found = tokens(sql, brackets=True)
    start = next((i for i, token in enumerate(found) if token.text == "("), None)
    read = TableText()
    if start is None:
        return read
    end = group(found, start)
    for definition in split(found[start + 1 : end]):
        _definition(sql, definition, read)
    options = [token.keyword for token in found[end + 1 :]]
    read.is_without_rowid = ("WITHOUT", "ROWID") in pairwise(options)
    return read


def _definition(sql: str, definition: Sequence[Token], read: TableText) -> None:
    """Read one column, or constraints of the table; these need no comma between them."""
    column = None if definition[0].keyword in _CONSTRAINTS else definition[0].name
    named: str | None = None
    for before, word, following in _steps(definition[1:] if column else definition):
        inside = source(sql, following[1:-1])
        if word == "CONSTRAINT":
            named = following[0].name
        elif word == "CHECK":
            read.checks.append((named, inside))
            named = None
        elif word == "AS" and column is not None:
            read.generated[column] = inside
        elif word == "COLLATE" and column is not None:
            read.collations[column] = following[0].name
        else:
            _reference(before, word, following, read)


def _reference(before: str, word: str, following: Sequence[Token], read: TableText) -> None:
    if word == "REFERENCES":
        read.references.append((False, False))
    elif word == "DEFERRABLE" and before != "NOT":
        read.references[-1] = (True, False)
    elif word == "INITIALLY" and following and following[0].keyword == "DEFERRED":
        # After NOT DEFERRABLE it has no effect.
        read.references[-1] = (read.references[-1][0],) * 2


def _steps(definition: Sequence[Token]) -> Iterator[tuple[str, str, Sequence[Token]]]:
    """Yield each word outside of brackets, the word before it, and the piece after it."""
    index, before = 0, ""
    while index < len(definition):
        token, after = definition[index], index + 1
        if token.text == "(":
            after = group(definition, index) + 1
        elif after < len(definition) and definition[after].text == "(":
            yield before, token.keyword, definition[after : group(definition, after) + 1]
        else:
            yield before, token.keyword, definition[after : after + 1]
        index, before = after, token.keyword


def index_text(sql: str) -> tuple[list[str], str | None]:
    """Return the text of each part of a CREATE INDEX, and that of its condition."""
    found = tokens(sql, brackets=True)
    start = next((i for i, token in enumerate(found) if token.text == "("), None)
    if start is None:
        return [], None
    end = group(found, start)
    parts = [source(sql, list(_without_order(part))) for part in split(found[start + 1 : end])]
    rest = found[end + 1 :]
    condition = source(sql, rest[1:]) if rest and rest[0].keyword == "WHERE" else None
    return parts, condition


def _without_order(part: list[Token]) -> Iterator[Token]:
    last = len(part)
    if part[-1].keyword in ("ASC", "DESC"):
        last -= 1
    if last > 2 and part[last - 2].keyword == "COLLATE":  # noqa: PLR2004 - a value before it
        last -= 2
    yield from part[:last]


def trigger_text(sql: str) -> tuple[Timing, str, tuple[str, ...]]:
    """Return when a trigger runs, on which event, and the columns of UPDATE OF."""
    # CREATE TRIGGER name, so that no name is taken for a word.
    found = tokens(sql, brackets=True)[3:]
    timing: Timing = "BEFORE"
    for index, token in enumerate(found):
        if token.keyword == "AFTER":
            timing = "AFTER"
        elif token.keyword == "INSTEAD":
            timing = "INSTEAD OF"
        elif token.keyword in _EVENTS:
            columns: list[str] = []
            if found[index + 1].keyword == "OF":
                until = next(i for i in range(index, len(found)) if found[i].keyword == "ON")
                columns = [part[0].name for part in split(found[index + 2 : until])]
            return timing, token.keyword, tuple(columns)
    return timing, "", ()
