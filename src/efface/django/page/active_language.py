"""Translate our sentences into the language that Django has activated.

A project's own catalogs come first, so it can change a sentence or add a language.
"""

from __future__ import annotations

from gettext import NullTranslations
from typing import Any

from django.utils import translation
from django.utils.functional import lazy

from efface.page.translations import SOURCE, Language, languages, translatable

_FIRST = translatable("Delete your account?")


class _ProjectFirst(NullTranslations):
    """Django's catalogs, and ours for sentences that they don't have."""

    def gettext(self, message: str) -> str:
        found = translation.gettext(message)
        return found if found != message else super().gettext(message)


def language() -> Language:
    """Return the active language, or English if there is no translation."""
    active = translation.get_language() or SOURCE
    ours = languages().get(active.partition("-")[0], languages()[SOURCE])
    catalog = _ProjectFirst()
    catalog.add_fallback(ours.catalog)
    is_the_projects = translation.gettext(_FIRST) != _FIRST
    return Language(active if is_the_projects else ours.code, catalog)


def later(text: str) -> Any:
    """Return a marked *text* that is translated when it is shown."""
    return _later(text)


_later = lazy(lambda text: language().say(text), str)
