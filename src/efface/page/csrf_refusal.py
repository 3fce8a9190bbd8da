"""The answer to what no page of ours has sent: a page with a way on, or a sentence for scripts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from efface.page.translations import Language, translatable

STALE = translatable(
    "This page is out of date. Nothing was changed. "
    "Reload the page you came from, and send it again."
)
TOKEN_HEADERS = ("x-csrf-token", "x-csrftoken")


def is_script(headers: Mapping[str, str], token_headers: Collection[str] = TOKEN_HEADERS) -> bool:
    """Tell whether a script reads the answer, by the *headers* of its request, in any case."""
    accept = headers.get("accept", "")
    if "text/html" in accept:
        return False
    return (
        "application/json" in accept
        or any(name in headers for name in token_headers)
        or headers.get("sec-fetch-mode", "navigate") != "navigate"
    )


def for_scripts(message: str, language: Language) -> dict[str, str]:
    """Return the refusal as JSON data, said in *language*."""
    return {"error": "csrf", "message": language.say(message)}


def for_people(message: str, language: Language, back: str) -> str:
    """Return the refusal as a page, said in *language*, with a way *back*."""
    return _PAGE.format(
        code=language.code,
        message=escape(language.say(message)),
        back=escape(back),
        **{name: escape(language.say(sentence)) for name, sentence in _SENTENCES.items()},
    )


def headers_in(language: Language) -> dict[str, str]:
    """Return what caches are told, and in which language it is."""
    return {"Cache-Control": "no-store", "Content-Language": language.code}


_SENTENCES = {
    "title": translatable("This page is out of date"),
    "heading": translatable("This was not sent"),
    "why": translatable("You may have signed in or out in another tab since you opened it."),
    "way_back": translatable("Back to the page"),
    "start": translatable("Start page"),
}
_PAGE = """<!doctype html>
<html lang="{code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{message}</p>
<p>{why}</p>
<p><a href="{back}">{way_back}</a> · <a href="/">{start}</a></p>
</main>
</body>
</html>
"""
