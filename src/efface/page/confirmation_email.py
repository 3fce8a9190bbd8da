"""Prepare the confirmation email before the account is closed, and send it after the commit.

Efface never sees the address. Before the erasure, the application returns a function that
remembers the address. Efface calls this function once and then drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import SENTENCES, Outcome
from efface.page.blockers import Blocker, require_blockers
from efface.page.consequences import Kept
from efface.page.translations import Language, translatable


@dataclass(frozen=True)
class ConfirmationEmail:
    """The text of the email that confirms that an account has been deleted.

    It contains no personal data. Your function adds the address, a greeting and the link.

    Attributes:
        reference: The confirmation number.
        closed_at: When the account was closed, in ISO 8601, UTC.
        closed_on: The same day, written in the email's language.
        kept: What is kept under a retention rule. Each line has ``text`` and ``until``.
        notified: Who else had the data and is notified.
        path: The path of the goodbye page on this site, which needs no account.
        language: The language of the sentences. ``language.code`` is ``"en"`` or ``"de"``.
        subject: The subject line.
        text: The body as plain text.
    """

    reference: str
    closed_at: str
    closed_on: str
    kept: tuple[Kept, ...]
    notified: tuple[str, ...]
    path: str
    language: Language

    @property
    def subject(self) -> str:
        """Return the subject line."""
        return self.language.say(translatable("Your account has been deleted"))

    @property
    def text(self) -> str:
        """Return the body as plain text, without a greeting or a link."""
        say = self.language.say
        kept = [line.text for line in self.kept] or [say(translatable("nothing with your data"))]
        number = f"{say(translatable('Confirmation number'))}: {self.reference}"
        closed_on = f"{say(translatable('Deleted on'))}: {self.closed_on}"
        parts = [
            say(SENTENCES[Outcome.CLOSED]),
            f"{number}\n{closed_on}",
            _listed(say(translatable("What we keep")), kept),
        ]
        if self.notified:
            parts.append(_listed(say(translatable("Who we'll notify")), self.notified))
        return "\n\n".join(parts) + "\n"


Send = Callable[[ConfirmationEmail], Any]


class AttemptEmail:
    """Send one email for one attempt to close an account.

    Args:
        prepare: Reads the address in the transaction that closes the account, and returns the
            function that sends the email.
        compose: Turns the receipt into the text of the email.
        report: Logs a failure without the exception's text.
    """

    __slots__ = ("_compose", "_prepare", "_report", "_send")

    def __init__(
        self,
        prepare: Callable[..., Send | None] | None,
        compose: Callable[[Receipt], ConfirmationEmail],
        report: Callable[[str, Exception], None],
    ) -> None:
        self._prepare, self._compose, self._report = prepare, compose, report
        self._send: Send | None = None

    def blockers(
        self, ask: Callable[..., Iterable[Blocker]] | None
    ) -> Callable[..., tuple[Blocker, ...]]:
        """Return a function that asks *ask* and, if nothing blocks, prepares the email.

        The engine calls it under the lock on the user's row, while the account is still open.
        Afterwards there is no address to read.
        """

        def asked(*whose: Any) -> tuple[Blocker, ...]:
            found = require_blockers(ask(*whose)) if ask is not None else ()
            if not found:
                self._take(*whose)
            return found

        return asked

    def send(self, receipt: Receipt) -> Any:
        """Send the email, once, and return what the application's function returns."""
        send, self._send = self._send, None
        return None if send is None else send(self._compose(receipt))

    def failed(self, receipt: Receipt, error: Exception) -> None:
        """Log that the email was not sent, without its address."""
        self._report(f"The confirmation email of {receipt.reference} could not be sent", error)

    def _take(self, *whose: Any) -> None:
        if self._prepare is None:
            return
        try:
            self._send = self._prepare(*whose)
        except Exception as error:  # noqa: BLE001  (without the email the account is closed, too)
            self._report("The confirmation email could not be prepared", error)


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join((f"{title}:", *(f"- {line}" for line in lines)))
