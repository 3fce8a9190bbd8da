"""Say how an attempt to delete an account ended, in a sentence and as an HTTP status."""

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
    Outcome.CLOSED: translatable(
        "Your account has been deleted, and you've been logged out on all devices."
    ),
    Outcome.LOGGED_OUT: translatable(
        "You are logged out. If you have already deleted your account, there is nothing else to "
        "do. If not, log in and try again."
    ),
    Outcome.UNCONFIRMED: translatable(
        "Check the box to confirm that you want to delete your account. Your account is still open."
    ),
    Outcome.WRONG_PASSWORD: translatable("That password is incorrect. Your account is still open."),
    Outcome.STALE: translatable(
        "Log in again before you delete your account. Your account is still open."
    ),
    Outcome.BLOCKED: translatable(
        "You can't delete your account yet. Reload this page to see what you need to do first. "
        "Your account is still open."
    ),
    Outcome.LIMITED: translatable(
        "Too many attempts. Try again later. Your account is still open."
    ),
    # It promises nothing about the account: the database may have failed during the commit.
    Outcome.FAILED: translatable("Something went wrong. Try again in a moment."),
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
UNREADABLE = translatable("We couldn't read this request. Nothing was changed.")
UNKNOWN = translatable("We can't find an account closure with this number. Check the link.")
OUT_OF_DATE = translatable(
    "This page is out of date. Nothing was changed. Reload it and try again."
)


@dataclass(frozen=True)
class AttemptResult:
    """How one attempt ended.

    Attributes:
        outcome: How it ended.
        receipt: The receipt, if the account is closed.
        blockers: What the user has to do first, if something blocks.
        retry_after: Seconds to wait, if there were too many attempts.
        was_logged_in: True if the user was logged out while the attempt ran.
    """

    outcome: Outcome
    receipt: Receipt | None = None
    blockers: tuple[Blocker, ...] = ()
    retry_after: int | None = None
    was_logged_in: bool = False

    @property
    def message(self) -> str:
        """Return the sentence for the user in English; translate it where you show it."""
        return SENTENCES[self.outcome]


def bare_page(sentence: str, language: Language) -> str:
    """Return a whole page that says *sentence*, for when templates or routes fail."""
    return _BARE_PAGE.format(
        code=language.code,
        title=escape(language.say(_TITLE), quote=False),
        sentence=escape(language.say(sentence), quote=False),
    )


_TITLE = translatable("Your account")
_BARE_PAGE = """<!doctype html>
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
