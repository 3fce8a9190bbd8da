"""SQL text taken apart: words, quoted names, strings, and what is between them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

_SQL = r"""
    (?P<skipped>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>[eExX]?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`%s)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<cast>::)
  | (?P<other>.)
"""
_PLAIN = re.compile(_SQL % "", re.VERBOSE | re.DOTALL)
_BRACKETED = re.compile(_SQL % r"|\[[^\]]*\]", re.VERBOSE | re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A piece of SQL and its place in the text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """Return the word in capitals; empty for all that is not a bare word."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """Return the name that it spells, without its quotes."""
        if self.kind not in ("quoted", "string"):
            return self.text
        quote = self.text[0]
        inside = self.text[1:-1]
        return inside if quote == "[" else inside.replace(quote * 2, quote)

    @property
    def is_name(self) -> bool:
        """Return whether it can name a column."""
        return self.kind in ("word", "quoted")


def tokens(text: str, *, brackets: bool = False) -> list[Token]:
    """Return the pieces of *text* without white space and comments.

    Args:
        text: SQL.
        brackets: Whether names can be quoted as ``[name]``, which elsewhere is an array.
    """
    pattern = _BRACKETED if brackets else _PLAIN
    return [
        Token(str(found.lastgroup), found.group(), found.start(), found.end())
        for found in pattern.finditer(text)
        if found.lastgroup != "skipped"
    ]


def names_in(text: str, columns: Collection[str], *, brackets: bool = False) -> tuple[str, ...]:
    """Return those of *columns* that *text* names, in their order."""
    words = {each.name.casefold() for each in tokens(text, brackets=brackets) if each.is_name}
    return tuple(name for name in columns if name.casefold() in words)


def group(found: Sequence[Token], start: int) -> int:
    """Return the index of the bracket that closes the one at *start*."""
    depth = 0
    for index in range(start, len(found)):
        depth += {"(": 1, ")": -1}.get(found[index].text, 0)
        if depth == 0:
            return index
    return len(found) - 1


def split(found: Iterable[Token]) -> Iterator[list[Token]]:
    """Yield what is between the commas, apart from commas within brackets."""
    depth, part = 0, list[Token]()
    for token in found:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def source(text: str, found: Sequence[Token]) -> str:
    """Return the text of these pieces, as it was written."""
    return text[found[0].start : found[-1].end] if found else ""


def replaced(text: str, word: str, replacement: str) -> str:
    """Return *text* with *replacement* for each bare *word*."""
    pieces = [each for each in tokens(text) if each.keyword == word.upper()]
    for each in reversed(pieces):
        text = text[: each.start] + replacement + text[each.end :]
    return text
