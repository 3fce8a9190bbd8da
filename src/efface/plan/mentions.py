"""The person's identifiers as needles: which text may name them, and the edit that removes it.

The database only narrows down: a LIKE pattern that lets through too much, never too little. The
decision is made here, on real text and parsed JSON, with word borders: ``ada@example.org`` is not
mentioned by ``granada@example.org``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Protocol

from efface.policy.actions import Placeholder

SHORTEST = 4
"""Identifiers with fewer characters are neither replaced nor searched for: they hit by chance."""

_JSON_STRING = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?')
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"\w+")
_ADDRESS_BEFORE, _ADDRESS_AFTER = r"(?<![\w.+%-])", r"(?![\w-]|\.\w)"
_WORD_BEFORE, _WORD_AFTER = r"(?<!\w)", r"(?!\w)"


class SearchTerms:
    """The identifiers of one person, ready to be looked for; never shown, saved or pickled.

    Nothing is made of them before it is asked for: most people are mentioned nowhere, and a batch
    may never be searched for.
    """

    def __init__(self, values: Iterable[object], placeholders: Iterable[Placeholder] = ()) -> None:
        """Keep the usable ones of *values*: text, of some length, and made by no placeholder."""
        self._values, self._placeholders = tuple(values), tuple(placeholders)

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return bool(self._words)

    def __repr__(self) -> str:
        """Return how many there are, never which."""
        return f"<Needles: {len(self._words)}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Leave the values behind: a pickled receipt must not carry them."""
        return (SearchTerms, ((),))

    @cached_property
    def _named(self) -> set[str]:
        texts = (value for value in self._values if isinstance(value, str))
        real = (t for t in texts if not any(each.matches(t) for each in self._placeholders))
        return {unicodedata.normalize("NFC", text).strip() for text in real} - {""}

    @cached_property
    def _words(self) -> tuple[str, ...]:
        usable = (text for text in self._named if len(text) >= SHORTEST)
        return tuple(sorted(usable, key=lambda text: (-len(text), text)))

    @property
    def skipped(self) -> int:
        """Return how many identifiers are too short to look for."""
        return len(self._named) - len(self._words)

    def first_words(self) -> set[str]:
        """Return the first word of each identifier, without regard to case."""
        return {
            found[0]
            for word in self._words
            for form in _forms(word)
            if (found := _WORD.findall(form.casefold()))
        }

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Return LIKE patterns that let through every text with a mention, and some others."""
        found = (pattern for word in self._words for pattern in _patterns(word))
        return tuple(dict.fromkeys(found))

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        # Both Unicode forms, because databases keep whichever the person's keyboard sent.
        forms = [form for word in self._words for form in _forms(word)]
        return re.compile("|".join(map(_bordered, forms)), re.IGNORECASE)

    def found_in(self, value: object) -> bool:
        """Return whether *value* (text or JSON data) mentions the person."""
        return bool(self) and any(self._mention.search(text) for text in _texts(value))

    def has_address_in(self, text: str) -> bool:
        """Return whether *text* holds an identifier that is an address, and so nothing else."""
        if "@" not in text:
            return False
        forms = (form for word in self._words if "@" in word for form in _forms(word))
        return any(re.search(_bordered(form), text, re.IGNORECASE) for form in forms)

    def replaced_in(self, text: str, replacement: str) -> str:
        """Return *text* with every mention replaced."""
        return self._mention.sub(lambda _: replacement, text) if self else text

    def replaced_in_json(self, document: str, replacement: str) -> str:
        """Return the JSON *document* with every mention inside its strings replaced.

        Only the strings that mention the person are written anew: numbers, spaces and the order
        of everything else stay to the byte. What is no JSON is a text like any other: some
        databases keep anything in such a column.
        """
        try:
            json.loads(document)
        except (ValueError, RecursionError):
            return self.replaced_in(document, replacement)
        strings = _JSON_STRING.finditer(document)
        keys = {json.loads(found["string"]) for found in strings if found["colon"]}

        def edited(match: re.Match[str]) -> str:
            text = json.loads(match["string"])
            new = name = self.replaced_in(text, replacement)
            if new == text:
                return match[0]
            if match["colon"]:
                # Two keys may name the person; neither value may swallow another.
                number = 1
                while name in keys:
                    number += 1
                    name = f"{new} ({number})"
                keys.add(name)
            return _quoted(name) + (match["colon"] or "")

        return _JSON_STRING.sub(edited, document)


class ManySearchTerms:
    """The identifiers of many people, looked for in one reading of a text.

    Each identifier is filed under its first word. A text is cut into words once, and only those
    that begin some identifier are looked at more closely.
    """

    __slots__ = ("_by_first_word", "skipped")

    def __init__(self, subjects: Iterable[SearchTerms]) -> None:
        """File the identifiers of *subjects*."""
        self._by_first_word: dict[str, list[SearchTerms]] = {}
        self.skipped = 0
        for search_terms in subjects:
            self.skipped += search_terms.skipped
            for first in search_terms.first_words():
                self._by_first_word.setdefault(first, []).append(search_terms)

    def __repr__(self) -> str:
        """Return nothing of them."""
        return "<Crowd>"

    def found_in(self, value: object) -> bool:
        """Return whether *value* (text or JSON data) mentions any of them."""
        for text in _texts(value):
            for word in set(_WORD.findall(text.casefold())):
                for search_terms in self._by_first_word.get(word, ()):
                    if search_terms.found_in(text):
                        return True
        return False


class Searchable(Protocol):
    """Whatever can be looked for in a text."""

    @property
    def skipped(self) -> int:
        """Return how many identifiers are too short to look for."""

    def found_in(self, value: object) -> bool:
        """Return whether *value* mentions one of them."""


def parsed(value: object) -> Any:
    """Return *value* as JSON data when it is JSON text, else as it is."""
    if not isinstance(value, str) or value[:1] not in '{["':
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _quoted(text: str) -> str:
    # Half of a surrogate pair has no bytes of its own; only its escape can be written.
    return json.dumps(text, ensure_ascii=_SURROGATE.search(text) is not None)


def _bordered(word: str) -> str:
    if "@" in word:
        return f"{_ADDRESS_BEFORE}{re.escape(word)}{_ADDRESS_AFTER}"
    before = _WORD_BEFORE if re.match(r"\w", word) else ""
    after = _WORD_AFTER if re.search(r"\w$", word) else ""
    return f"{before}{re.escape(word)}{after}"


def _forms(word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((word, unicodedata.normalize("NFD", word))))


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _patterns(word: str) -> tuple[str, ...]:
    r"""Return lower-case LIKE patterns (escape ``\``) that let every writing of *word* through.

    Databases fold only ASCII letters reliably (SQLite documents it so), and JSON text may hold
    ``\u00e9`` for ``é``: so a character that is not plain becomes a wildcard. A word of hardly any
    plain characters would let everything through; there each casing is spelled out.
    """
    plain = [c if c.isascii() and c.isprintable() and c not in '"\\/' else "%" for c in word]
    if sum(c != "%" and c.isalnum() for c in plain) >= SHORTEST - 1:
        return ("%" + "".join(_escaped(c) if c != "%" else c for c in plain).lower() + "%",)
    casings = (word, word.lower(), word.upper(), word.title(), word.casefold())
    forms = {form for casing in casings for form in _forms(casing)}
    escaped = {json.dumps(form)[1:-1] for form in forms}
    return tuple("%" + "".join(map(_escaped, form)) + "%" for form in sorted(forms | escaped))


def _escaped(character: str) -> str:
    return "\\" + character if character in "\\%_" else character
