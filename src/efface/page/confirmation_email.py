"""The confirmation email: its address is read before the erasure, and it is sent after the commit.

Efface never sees the address: the function that the application returns before the erasure holds
it, and is dropped once it has been called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from efface.evidence.receipt import Receipt
from efface.page.blockers import Blocker, listed
from efface.page.consequences import Kept
from efface.page.translations import Language, translatable


@dataclass(frozen=True)
class ConfirmationEmail:
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
    notified: tuple[str, ...]
    path: str
    language: Language

    @property
    def subject(self) -> str:
        """Return the line above the mail."""
        return self.language.say(translatable("Your account is closed"))

    @property
    def text(self) -> str:
        """Return the mail as plain text, without a greeting or a link."""
        say = self.language.say
        kept = [line.text for line in self.kept] or [say(translatable("nothing with your data"))]
        number = f"{say(translatable('Number of this closing'))}: {self.reference}"
        closed_on = f"{say(translatable('Closed on'))}: {self.closed_on}"
        parts = [
            say(translatable("Your account is closed, and you are signed out on every device.")),
            f"{number}\n{closed_on}",
            _listed(say(translatable("What is kept, and until when")), kept),
        ]
        if self.notified:
            parts.append(_listed(say(translatable("Who else is told")), self.notified))
        return "\n\n".join(parts) + "\n"


Send = Callable[[ConfirmationEmail], Any]


class AttemptEmail:
    """The one mail of one attempt to close an account.

    Args:
        prepare: Reads the address in the closing's transaction, and returns the function that
            sends the email.
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
        """Return *ask*, which also takes the address where nothing blocks.

        It is asked under the lock of the person's row, while the account is open: once it is
        closed there is no address, and nobody closes it a second time.
        """

        def asked(*whose: Any) -> tuple[Blocker, ...]:
            found = listed(ask(*whose)) if ask is not None else ()
            if not found:
                self._take(*whose)
            return found

        return asked

    def send(self, receipt: Receipt) -> Any:
        """Send the mail, once, and return what the host's function returns."""
        send, self._send = self._send, None
        return None if send is None else send(self._compose(receipt))

    def failed(self, receipt: Receipt, error: Exception) -> None:
        """Say in the log that the mail was not sent, without its address."""
        self._report(f"The farewell of {receipt.reference} could not be sent", error)

    def _take(self, *whose: Any) -> None:
        if self._prepare is None:
            return
        try:
            self._send = self._prepare(*whose)
        except Exception as error:  # noqa: BLE001  (without a mail the account is closed, too)
            self._report("The farewell could not be prepared", error)


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join((f"{title}:", *(f"- {line}" for line in lines)))
