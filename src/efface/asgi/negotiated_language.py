"""Choose the language in which a connection is answered."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from efface.page.translations import SOURCE, Language, languages

# A header may be long.
_MOST_WISHES = 20

ChooseLanguage = Callable[[HTTPConnection], str | None]


def choose_language(connection: HTTPConnection, choose: ChooseLanguage | None) -> Language:
    """Return the language for *connection*, or English if it is unknown.

    The application's *choose* comes first. If it is None or returns None, the browser's
    Accept-Language header decides.
    """
    known = choose(connection) if choose is not None else None
    wishes = (
        [known] if known else preferred_languages(connection.headers.get("accept-language", ""))
    )
    for wish in wishes:
        language = languages().get(wish.replace("_", "-").partition("-")[0].lower())
        if language is not None:
            return language
    return languages()[SOURCE]


def preferred_languages(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the preferred one first."""
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
