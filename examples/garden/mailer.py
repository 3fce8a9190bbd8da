"""Mail. The mailer is passed in; this one keeps everything in memory, to be read in the browser."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Condition
from typing import Protocol


class RefusedAddressError(Exception):
    """The address ends in `.invalid`, so it has no owner."""


class Mailer(Protocol):
    """Whatever can deliver an email."""

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Deliver one email, or raise."""


@dataclass(frozen=True)
class Mail:
    """An email that was sent."""

    to: str
    subject: str
    text: str
    sent_at: datetime

    def plain(self) -> dict[str, str]:
        """Return it as JSON can say it."""
        return {
            "to": self.to,
            "subject": self.subject,
            "text": self.text,
            "sent_at": self.sent_at.isoformat(),
        }


class Mailbox:
    """A mailer that keeps all emails in memory, and wakes threads that wait for one."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Start empty."""
        self._clock = clock
        self._mails: list[Mail] = []
        self._arrived = Condition()

    def deliver(self, to: str, subject: str, text: str) -> None:
        """Keep one email.

        Raises:
            RefusedAddressError: the address is a placeholder.
        """
        if to.lower().endswith(".invalid"):
            raise RefusedAddressError("An address under .invalid receives no mail.")
        with self._arrived:
            self._mails.append(Mail(to, subject, text, self._clock()))
            self._arrived.notify_all()

    def to(self, address: str) -> list[Mail]:
        """Return the emails to one address, the oldest first."""
        return [mail for mail in self.all() if mail.to == address]

    def all(self) -> list[Mail]:
        """Return every email, the oldest first."""
        with self._arrived:
            return list(self._mails)

    def wait_for(self, address: str, *, mails: int = 1, timeout: float = 10) -> Mail:
        """Return the latest mail to *address* as soon as there are as many as *emails*.

        Raises:
            TimeoutError: they did not come in time.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.to(address)) >= mails, timeout):
                raise TimeoutError("The mail did not come.")
        return self.to(address)[-1]
