"""The sentences of the closing page in every language it can speak.

The sentences are written in English, where they are used. Catalogs of the standard library's
`gettext` lie in `locale/`, one folder for each further language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "efface"
LOCALE = Path(__file__).with_name("locale")
SOURCE = "en"


def translatable(text: str) -> str:
    """Return *text* as it is; it is collected for translation, and translated where it is shown."""
    return text


MONTHS = (
    translatable("January"),
    translatable("February"),
    translatable("March"),
    translatable("April"),
    translatable("May"),
    translatable("June"),
    translatable("July"),
    translatable("August"),
    translatable("September"),
    translatable("October"),
    translatable("November"),
    translatable("December"),
)
DATE = translatable("{day} {month} {year}")


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
