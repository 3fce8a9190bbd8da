"""Find and replace mentions of a subject's identifiers in text and JSON.

The database preselects rows with LIKE patterns, which match too much and never too little. Python
decides on the text itself, by whole words: ``granada@example.org`` does not mention
``ada@example.org``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any, Protocol

from efface.policy.actions import Placeholder

SHORTEST = 4
"""The fewest characters of an identifier: a shorter one would match unrelated words."""

_JSON_STRING = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?')
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"\w+")
# A full stop may end a sentence after an address, but ".uk" makes it another address.
_ADDRESS_BEFORE, _ADDRESS_AFTER = r"(?<![\w.+%-])", r"(?![\w-]|\.\w)"
_WORD_BEFORE, _WORD_AFTER = r"(?<!\w)", r"(?!\w)"


class SearchTerms:
    """The identifiers of one subject to search for; ``repr`` and pickles do not contain them.

    Patterns are compiled on first use, because most subjects are mentioned nowhere.
    """

    def __init__(self, values: Iterable[object], placeholders: Iterable[Placeholder] = ()) -> None:
        """Keep *values*; only text that is no placeholder and long enough is searched for."""
        self._values, self._placeholders = tuple(values), tuple(placeholders)

    def __bool__(self) -> bool:
        """Return whether there is anything to search for."""
        return bool(self._words)

    def __repr__(self) -> str:
        """Return how many search terms there are, and none of them."""
        return f"<SearchTerms: {len(self._words)}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle without the values, because a pickled receipt must not contain them."""
        return (SearchTerms, ((),))

    @cached_property
    def _named(self) -> set[str]:
        texts = (value for value in self._values if isinstance(value, str))
        real = (t for t in texts if not any(each.matches(t) for each in self._placeholders))
        return {unicodedata.normalize("NFC", text).strip() for text in real} - {""}

    @cached_property
    def _words(self) -> tuple[str, ...]:
        usable = (text for text in self._named if len(text) >= SHORTEST)
        # Longest first: "Ada Lovelace" must be replaced as a whole, before "Ada" matches inside it.
        return tuple(sorted(usable, key=lambda text: (-len(text), text)))

    @property
    def skipped(self) -> int:
        """Return how many identifiers are too short to search for."""
        return len(self._named) - len(self._words)

    @property
    def texts(self) -> frozenset[str]:
        """Return the identifiers."""
        return frozenset(self._named)

    def without(self, values: Collection[str]) -> SearchTerms:
        """Return the search terms without these *values*, which are folded."""
        kept = (v for v in self._values if not isinstance(v, str) or folded(v) not in values)
        return SearchTerms(kept, self._placeholders) if values else self

    def first_words(self) -> set[str]:
        """Return the first word of each identifier, in lower case."""
        return {
            found[0]
            for word in self._words
            for form in _forms(word)
            if (found := _WORD.findall(form.casefold()))
        }

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Return LIKE patterns that match every text with a mention, and some without."""
        found = (pattern for word in self._words for pattern in _patterns(word))
        return tuple(dict.fromkeys(found))

    @cached_property
    def _mention(self) -> re.Pattern[str]:
        # In both Unicode normal forms, because a database stores whichever it receives.
        forms = [form for word in self._words for form in _forms(word)]
        return re.compile("|".join(map(_bordered, forms)), re.IGNORECASE)

    def found_in(self, value: object) -> bool:
        """Return whether *value* (text or JSON data) mentions the subject."""
        return bool(self) and any(self._mention.search(text) for text in _texts(value))

    def has_address_in(self, text: str) -> bool:
        """Return whether *text* contains one of the identifiers that is an email address."""
        # Only an address is certain to identify someone: a name may also be that of an operator.
        if "@" not in text:
            return False
        forms = (form for word in self._words if "@" in word for form in _forms(word))
        return any(re.search(_bordered(form), text, re.IGNORECASE) for form in forms)

    def replaced_in(self, text: str, replacement: str) -> str:
        """Return *text* with every mention replaced."""
        # A function, because a replacement may contain backslashes.
        return self._mention.sub(lambda _: replacement, text) if self else text

    def replaced_in_json(self, document: str, replacement: str) -> str:
        """Return the JSON *document* with every mention inside its strings replaced.

        Only strings with a mention change: numbers, spaces and the order of keys stay the same to
        the byte. Text that is not JSON is treated as plain text, because some databases accept
        any text in such a column.
        """
        try:
            json.loads(document)
        except (ValueError, RecursionError):
            return self.replaced_in(document, replacement)
        # Edited as text: parsing and writing the document would change its numbers and spaces.
        strings = _JSON_STRING.finditer(document)
        keys = {json.loads(found["string"]) for found in strings if found["colon"]}

        def edited(match: re.Match[str]) -> str:
            text = json.loads(match["string"])
            new = name = self.replaced_in(text, replacement)
            if new == text:
                return match[0]
            if match["colon"]:
                # Two keys with a mention would become the same key, and lose a value.
                number = 1
                while name in keys:
                    number += 1
                    name = f"{new} ({number})"
                keys.add(name)
            return _quoted(name) + (match["colon"] or "")

        return _JSON_STRING.sub(edited, document)


def folded(text: str) -> str:
    """Return what two spellings of an identifier have in common."""
    return unicodedata.normalize("NFC", text).strip().casefold()


class ManySearchTerms:
    """The identifiers of a batch of subjects, to search for in one pass over a text.

    Identifiers are indexed by their first word, so each text is split into words once.
    """

    __slots__ = ("_by_first_word", "skipped")

    def __init__(self, subjects: Iterable[SearchTerms]) -> None:
        """Index the identifiers of all *subjects* by their first word."""
        self._by_first_word: dict[str, list[SearchTerms]] = {}
        self.skipped = 0
        for search_terms in subjects:
            self.skipped += search_terms.skipped
            for first in search_terms.first_words():
                self._by_first_word.setdefault(first, []).append(search_terms)

    def __repr__(self) -> str:
        """Return no identifier."""
        return "<ManySearchTerms>"

    def found_in(self, value: object) -> bool:
        """Return whether *value* (text or JSON data) mentions any of the subjects."""
        for text in _texts(value):
            for word in set(_WORD.findall(text.casefold())):
                for search_terms in self._by_first_word.get(word, ()):
                    if search_terms.found_in(text):
                        return True
        return False


class Searchable(Protocol):
    """The search terms of one subject or of a batch."""

    @property
    def skipped(self) -> int:
        """Return how many identifiers are too short to search for."""

    def found_in(self, value: object) -> bool:
        """Return whether *value* mentions one of them."""


def parsed(value: object) -> Any:
    """Return *value* as JSON data if it is JSON text, else unchanged."""
    if not isinstance(value, str) or value[:1] not in '{["':
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _quoted(text: str) -> str:
    # Half of a surrogate pair cannot be encoded, only escaped.
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
    # A stack instead of recursion, because documents may be nested deeper than Python's limit.
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
    r"""Return LIKE patterns (escape ``\``) that match *word* in every case and escape.

    SQLite documents that it ignores the case of ASCII letters only, and JSON text may have
    ``\u00e9`` for ``é``. So every other character becomes a wildcard. If a word has too few ASCII
    letters for that, it gets one pattern for each of its usual casings.
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
