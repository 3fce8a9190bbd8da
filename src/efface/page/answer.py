"""How an attempt to close one's own account ends, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from html import escape

from efface.evidence.receipt import Receipt
from efface.page.blocker import Blocker
from efface.page.language import Language, mark


class Outcome(Enum):
    """How an attempt ended."""

    CLOSED = auto()
    SIGNED_OUT = auto()
    UNCONFIRMED = auto()
    WRONG_PASSWORD = auto()
    STALE = auto()
    BLOCKED = auto()
    LIMITED = auto()
    FAILED = auto()


SENTENCES = {
    Outcome.CLOSED: mark("Your account is closed, and you are signed out on every device."),
    Outcome.SIGNED_OUT: mark(
        "You are signed out. If you have just closed your account, it is closed."
    ),
    Outcome.UNCONFIRMED: mark("Your account is not closed: confirm that you want to close it."),
    Outcome.WRONG_PASSWORD: mark("Your account is not closed: this is not your current password."),
    Outcome.STALE: mark("Your account is not closed: sign in again first, then close it."),
    Outcome.BLOCKED: mark(
        "Your account is not closed: something has to be settled first. "
        "This page says what, once you load it again."
    ),
    Outcome.LIMITED: mark(
        "Your account is not closed: there were too many tries. Try again later."
    ),
    Outcome.FAILED: mark("Your account could not be closed just now. Try again in a moment."),
}


STATUS = {
    Outcome.SIGNED_OUT: 401,
    Outcome.UNCONFIRMED: 422,
    Outcome.WRONG_PASSWORD: 422,
    Outcome.STALE: 403,
    Outcome.BLOCKED: 409,
    Outcome.LIMITED: 429,
    Outcome.FAILED: 503,
}
TOO_LARGE = mark("This form is too large to be read. Nothing was changed.")
UNREADABLE = mark("This could not be read. Nothing was changed.")
UNKNOWN = mark("We know no closing with this number. Look at its address again.")
UNSHOWN = mark("This did not work just now. Try again in a moment.")
OUT_OF_DATE = mark("This page is out of date. Nothing was changed. Load it again.")


@dataclass(frozen=True)
class Answer:
    """The outcome; with the receipt, the blockers or the seconds to wait where there are some."""

    outcome: Outcome
    receipt: Receipt | None = None
    blockers: tuple[Blocker, ...] = ()
    retry_after: int | None = None

    @property
    def message(self) -> str:
        """Return the sentence for the person, in English: translate it where it is shown."""
        return SENTENCES[self.outcome]


def bare(sentence: str, language: Language) -> str:
    """Return a whole page that says *sentence*, for where templates or routes are what fails."""
    return _BARE.format(
        code=language.code,
        title=escape(language.say(_TITLE)),
        sentence=escape(language.say(sentence)),
    )


_TITLE = mark("Your account")
_BARE = """<!doctype html>
<html lang="{code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p role="alert">{sentence}</p>
</main>
</body>
</html>
"""
