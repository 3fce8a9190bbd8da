"""The event that closes the account of whoever sends it: how it is answered."""

from __future__ import annotations

from efface.live.live_event import LiveEvent
from efface.page.attempt_outcome import Answer, Outcome

EVENT = "anonymize"


def conclude(event: LiveEvent, answer: Answer, message: str, *, to: str | None) -> None:
    """Answer *event* with how the attempt ended.

    *message* is what is said about it, in the person's language; *to* is where the page goes
    after a closing, or None for where every page goes that is signed out.
    """
    if answer.outcome is Outcome.FAILED:
        event.fail(message)
    elif answer.outcome is Outcome.CLOSED:
        event.log_out(to=to)
    else:
        event.refuse(message)
        event.logs_out = answer.outcome is Outcome.LOGGED_OUT
