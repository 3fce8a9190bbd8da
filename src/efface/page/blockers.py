"""Describe what a user has to do before the account can be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from efface.errors import BlockerTypeError
from efface.page.local_paths import is_local_path
from efface.page.translations import SOURCE


@dataclass(frozen=True)
class Blocker:
    """Name one thing that a user has to do before the account can be deleted.

    Your function for ``blockers=`` returns these. The page lists them, each with a link, and
    disables its button.

    Args:
        text: What to do, in one sentence. Or the sentence in several languages, by code. A user
            who reads ``"de-AT"`` sees the text for ``"de"``. A user who reads another language
            sees the text for ``"en"``, or the first one.
        href: Where to do it: a path on this site, an https address, or a mailto address.

    Raises:
        ValueError: *href* is something else, or *text* has no language.

    Example:
        >>> Blocker("Name another organizer for the book club.", "/groups/7").href
        '/groups/7'
        >>> text = {"en": "Pay your last invoice.", "de": "Bezahlen Sie Ihre letzte Rechnung."}
        >>> Blocker(text, "/invoices").in_language("de-AT")["text"]
        'Bezahlen Sie Ihre letzte Rechnung.'
    """

    text: str | Mapping[str, str]
    href: str

    def __post_init__(self) -> None:
        if isinstance(self.text, Mapping) and not self.text:
            raise ValueError(
                "A Blocker has no text. Say what the user has to do, in at least one language."
            )
        if not is_local_path(self.href) and not self.href.startswith(("https://", "mailto:")):
            raise ValueError(
                "A Blocker has a link that is not a path on this site, an https address or a "
                'mailto address. Use a path such as "/groups/7".'
            )

    def in_language(self, code: str) -> dict[str, str]:
        """Return ``text`` and ``href`` for a user who reads the language with this *code*."""
        text = self.text
        if isinstance(text, Mapping):
            base, first = code.partition("-")[0], next(iter(text.values()))
            text = text.get(code) or text.get(base) or text.get(SOURCE) or first
        return {"text": text, "href": self.href}


def require_blockers(found: object) -> tuple[Blocker, ...]:
    """Return the blockers that the application's function returned.

    Raises:
        BlockerTypeError: It returned something else, such as None because it lacks a ``return``.
    """
    # You can also iterate over a text, and over a dictionary with the two parts.
    if not isinstance(found, Iterable) or isinstance(found, (str, bytes, Mapping)):
        raise BlockerTypeError(type(found).__name__)
    blockers = []
    for each in found:
        if not isinstance(each, Blocker):
            raise BlockerTypeError(type(each).__name__)
        blockers.append(each)
    return tuple(blockers)
