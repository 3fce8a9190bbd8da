"""What has to be settled before somebody can leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from efface.errors import BlockerTypeError
from efface.page.local_paths import is_local_path
from efface.page.translations import SOURCE


@dataclass(frozen=True)
class Blocker:
    """Something that has to be settled before the account can be closed.

    Args:
        text: What to do, in a sentence: "You are the last organizer of Herbs." Or the sentence in
            each language, by code: {"en": …, "de": …}. Whoever reads "de-at" is told that of "de",
            whoever reads another language that of English, or the first.
        href: Where it is done: a path on this site, or an https or mailto address.

    Raises:
        ValueError: *href* is none of these, or no language has a text.
    """

    text: str | Mapping[str, str]
    href: str

    def __post_init__(self) -> None:
        if isinstance(self.text, Mapping) and not self.text:
            raise ValueError("A blocker says what there is to do, in one language at least.")
        if not is_local_path(self.href) and not self.href.startswith(("https://", "mailto:")):
            raise ValueError("A blocker leads to a path of this site, https://… or mailto:…")

    def said(self, code: str) -> dict[str, str]:
        """Return text and href for whoever reads the language of this *code*."""
        text = self.text
        if isinstance(text, Mapping):
            base, first = code.partition("-")[0], next(iter(text.values()))
            text = text.get(code) or text.get(base) or text.get(SOURCE) or first
        return {"text": text, "href": self.href}


def listed(found: object) -> tuple[Blocker, ...]:
    """Return the blockers that a host's function gave.

    Raises:
        BlockerTypeError: it gave something else, such as None where it has forgotten to return.
    """
    # A text, and a dictionary with the two parts, can be read one by one as well.
    if not isinstance(found, Iterable) or isinstance(found, (str, bytes, Mapping)):
        raise BlockerTypeError(type(found).__name__)
    blockers = []
    for each in found:
        if not isinstance(each, Blocker):
            raise BlockerTypeError(type(each).__name__)
        blockers.append(each)
    return tuple(blockers)
