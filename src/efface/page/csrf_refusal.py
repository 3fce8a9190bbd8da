"""Answer a request that failed the CSRF check: a page with a way back, or JSON for scripts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from efface.page.translations import Language, translatable

STALE = translatable(
    "This page is out of date. Nothing was changed. Reload the page that you came from, and try "
    "again."
)
TOO_LARGE = translatable("This form is too large. Nothing was changed.")
TOKEN_HEADERS = ("x-csrf-token", "x-csrftoken")


def is_script(headers: Mapping[str, str], token_headers: Collection[str] = TOKEN_HEADERS) -> bool:
    """Tell from the *headers* of a request, in any case, whether a script reads the answer."""
    accept = headers.get("accept", "")
    if "text/html" in accept:
        return False
    return (
        "application/json" in accept
        or any(name in headers for name in token_headers)
        or headers.get("sec-fetch-mode", "navigate") != "navigate"
    )


def refusal_as_json(message: str, language: Language) -> dict[str, str]:
    """Return the refusal as JSON data in *language*."""
    return {"error": "csrf", "message": language.say(message)}


def refusal_page(message: str, language: Language, back: str) -> str:
    """Return the refusal as a page in *language*, with a link *back*."""
    why = f"<p>{escape(language.say(_WHY), quote=False)}</p>\n" if message == STALE else ""
    return _PAGE.format(
        code=language.code,
        message=escape(language.say(message), quote=False),
        why=why,
        back=escape(back),
        **{
            name: escape(language.say(sentence), quote=False)
            for name, sentence in _SENTENCES.items()
        },
    )


def refusal_headers(language: Language) -> dict[str, str]:
    """Return the headers of the refusal: do not cache it, and its language."""
    return {"Cache-Control": "no-store", "Content-Language": language.code}


_WHY = translatable("You may have logged in or out in another tab since you opened it.")
_SENTENCES = {
    "heading": translatable("We couldn't accept this form"),
    "way_back": translatable("Go back to the page"),
    "home": translatable("Home page"),
}
_PAGE = """<!doctype html>
<html lang="{code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{message}</p>
{why}<p><a href="{back}">{way_back}</a> · <a href="/">{home}</a></p>
</main>
</body>
</html>
"""
