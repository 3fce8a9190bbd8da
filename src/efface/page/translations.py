"""Translate the sentences that users of a site read.

The source has the sentences in English, next to the code that uses them. `locale/` has one folder
for each other language, with a catalog for the standard library's `gettext`.
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
    """Return *text* unchanged, marked for translation when it is shown."""
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
DATE = translatable("{month} {day}, {year}")


@dataclass(frozen=True)
class Language:
    """One language of the page."""

    code: str
    catalog: NullTranslations = field(default_factory=NullTranslations, repr=False)

    def say(self, text: str, **values: object) -> str:
        """Return a marked *text* in this language, with *values* in its braces."""
        found = self.catalog.gettext(text)
        return found.format(**values) if values else found

    def date(self, day: date) -> str:
        """Return a date, written out."""
        return self.say(DATE, day=day.day, month=self.say(MONTHS[day.month - 1]), year=day.year)


@cache
def languages() -> dict[str, Language]:
    """Return the available languages by code, English first."""
    found = {SOURCE: Language(SOURCE)}
    for catalog in sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
        code = catalog.parents[1].name
        found[code] = Language(code, translation(DOMAIN, LOCALE, [code]))
    return found
