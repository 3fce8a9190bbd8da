"""HOST · In which language the closing page speaks, and its sentences in that language.

The sentences are written in English, where they are used. Catalogs of the standard library's
`gettext` lie in `locale/`, one folder for each further language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

from starlette.requests import HTTPConnection

DOMAIN = "efface"
LOCALE = Path(__file__).with_name("locale")
SOURCE = "en"
# More than anybody speaks; a header may be long.
_MOST_WISHES = 20

Choose = Callable[[HTTPConnection], str | None]


def mark(text: str) -> str:
    """Return *text* as it is; it is collected for translation, and translated where it is shown."""
    return text


MONTHS = (
    mark("January"),
    mark("February"),
    mark("March"),
    mark("April"),
    mark("May"),
    mark("June"),
    mark("July"),
    mark("August"),
    mark("September"),
    mark("October"),
    mark("November"),
    mark("December"),
)
DATE = mark("{day} {month} {year}")


@dataclass(frozen=True)
class Language:
    """One language the page can speak."""

    code: str
    catalog: NullTranslations = field(default_factory=NullTranslations, repr=False)

    def say(self, text: str, **values: object) -> str:
        """Return a marked *text* in this language, with *values* in its braces."""
        found = self.catalog.gettext(text)
        return found.format(**values) if values else found

    def date(self, day: date) -> str:
        """Return a day as people write it."""
        return self.say(DATE, day=day.day, month=self.say(MONTHS[day.month - 1]), year=day.year)


@cache
def languages() -> dict[str, Language]:
    """Return the languages there are, by code; English first."""
    found = {SOURCE: Language(SOURCE)}
    for catalog in sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
        code = catalog.parents[1].name
        found[code] = Language(code, translation(DOMAIN, LOCALE, [code]))
    return found


def chosen(connection: HTTPConnection, choose: Choose | None) -> Language:
    """Return the language for whoever is behind *connection*; English where it is unknown.

    *choose* is the host's own way to know it. Without one, or where it does not know, the
    browser's wishes count.
    """
    known = choose(connection) if choose is not None else None
    wishes = [known] if known else wished(connection.headers.get("accept-language", ""))
    for wish in wishes:
        language = languages().get(wish.replace("_", "-").partition("-")[0].lower())
        if language is not None:
            return language
    return languages()[SOURCE]


def wished(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the dearest first."""
    wishes = []
    for part in header.split(",")[:_MOST_WISHES]:
        tag, *parameters = (each.strip() for each in part.split(";"))
        weight = _weight(parameters)
        if tag and weight > 0:
            wishes.append((weight, tag))
    return [tag for _, tag in sorted(wishes, key=lambda wish: -wish[0])]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1
