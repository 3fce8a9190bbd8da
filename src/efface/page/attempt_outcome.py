"""How an attempt to close one's own account ends, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from html import escape

from efface.evidence.receipt import Receipt
from efface.page.blockers import Blocker
from efface.page.translations import Language, translatable


class Outcome(Enum):
    """How an attempt ended."""

    CLOSED = auto()
    LOGGED_OUT = auto()
    UNCONFIRMED = auto()
    WRONG_PASSWORD = auto()
    STALE = auto()
    BLOCKED = auto()
    LIMITED = auto()
    FAILED = auto()


SENTENCES = {
    Outcome.CLOSED: translatable("Your account is closed, and you are signed out on every device."),
    Outcome.LOGGED_OUT: translatable(
        "You are signed out. If you have just closed your account, it is closed."
    ),
    Outcome.UNCONFIRMED: translatable(
        "Your account is not closed: confirm that you want to close it."
    ),
    Outcome.WRONG_PASSWORD: translatable(
        "Your account is not closed: this is not your current password."
    ),
    Outcome.STALE: translatable("Your account is not closed: sign in again first, then close it."),
    Outcome.BLOCKED: translatable(
        "Your account is not closed: something has to be settled first. "
        "This page says what, once you load it again."
    ),
    Outcome.LIMITED: translatable(
        "Your account is not closed: there were too many tries. Try again later."
    ),
    Outcome.FAILED: translatable(
        "Your account could not be closed just now. Try again in a moment."
    ),
}


STATUS = {
    Outcome.LOGGED_OUT: 401,
    Outcome.UNCONFIRMED: 422,
    Outcome.WRONG_PASSWORD: 422,
    Outcome.STALE: 403,
    Outcome.BLOCKED: 409,
    Outcome.LIMITED: 429,
    Outcome.FAILED: 503,
}
TOO_LARGE = translatable("This form is too large to be read. Nothing was changed.")
UNREADABLE = translatable("This could not be read. Nothing was changed.")
UNKNOWN = translatable("We know no closing with this number. Look at its address again.")
UNSHOWN = translatable("This did not work just now. Try again in a moment.")
OUT_OF_DATE = translatable("This page is out of date. Nothing was changed. Load it again.")


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


_TITLE = translatable("Your account")
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
