"""HOST · In which language the closing page speaks to whoever is behind a connection."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from efface.page.translations import SOURCE, Language, languages

# More than anybody speaks; a header may be long.
_MOST_WISHES = 20

Choose = Callable[[HTTPConnection], str | None]


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
    for prepare in header.split(",")[:_MOST_WISHES]:
        tag, *parameters = (each.strip() for each in prepare.split(";"))
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
