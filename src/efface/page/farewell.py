"""What is said to somebody whose account is closed, as a mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from efface.page.consequences import Kept
from efface.page.language import Language, mark


@dataclass(frozen=True)
class Farewell:
    """What may be said to somebody whose account is closed; nothing in it is personal.

    Attributes:
        reference: The number of this closing.
        closed_at: When it was, in ISO 8601, UTC.
        closed_on: The day as people write it.
        kept: What stays with the person's data, and until when.
        told: Who else is told.
        path: Where this can be read later, on this site and without an account.
        language: The language of the sentences.
    """

    reference: str
    closed_at: str
    closed_on: str
    kept: tuple[Kept, ...]
    told: tuple[str, ...]
    path: str
    language: Language

    @property
    def subject(self) -> str:
        """Return the line above the mail."""
        return self.language.say(mark("Your account is closed"))

    @property
    def text(self) -> str:
        """Return the mail as plain text, without a greeting or a link."""
        say = self.language.say
        kept = [line.text for line in self.kept] or [say(mark("nothing with your data"))]
        number = f"{say(mark('Number of this closing'))}: {self.reference}"
        closed_on = f"{say(mark('Closed on'))}: {self.closed_on}"
        parts = [
            say(mark("Your account is closed, and you are signed out on every device.")),
            f"{number}\n{closed_on}",
            _listed(say(mark("What is kept, and until when")), kept),
        ]
        if self.told:
            parts.append(_listed(say(mark("Who else is told")), self.told))
        return "\n\n".join(parts) + "\n"


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join((f"{title}:", *(f"- {line}" for line in lines)))
