"""How an attempt to close one's own account ends, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from efface.evidence.receipt import Receipt
from efface.page.blocker import Blocker
from efface.page.language import mark


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
