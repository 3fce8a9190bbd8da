"""What has to be settled before somebody can leave."""

from __future__ import annotations

from dataclasses import dataclass

from efface.page.paths import is_local_path


@dataclass(frozen=True)
class Blocker:
    """Something that has to be settled before the account can be closed.

    Args:
        text: What to do, in a sentence: "You are the last organizer of Herbs."
        href: Where it is done: a path on this site, or an https or mailto address.

    Raises:
        ValueError: *href* is none of these.
    """

    text: str
    href: str

    def __post_init__(self) -> None:
        if not is_local_path(self.href) and not self.href.startswith(("https://", "mailto:")):
            raise ValueError("A blocker leads to a path of this site, https://… or mailto:…")
