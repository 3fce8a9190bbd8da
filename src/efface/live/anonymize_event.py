"""Answer the event with which a page asks to close the user's account."""

from __future__ import annotations

from efface.live.live_event import LiveEvent
from efface.page.attempt_outcome import AttemptResult, Outcome

EVENT = "anonymize"


def conclude(event: LiveEvent, answer: AttemptResult, message: str, *, to: str | None) -> None:
    """Answer *event* with how the attempt ended.

    *message* is the sentence for the user, in the user's language. *to* is where the page goes
    after a closure, or None for where every logged-out page goes.
    """
    if answer.outcome is Outcome.FAILED:
        event.fail(message)
    elif answer.outcome is Outcome.CLOSED:
        event.log_out(to=to)
    else:
        event.refuse(message)
        event.logs_out = answer.outcome is Outcome.LOGGED_OUT
