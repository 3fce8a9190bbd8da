"""The mail to somebody who has left: whereto is asked before, and it goes out after.

The address is never given to us: what the host returns before the erasure holds it, and is let
go of when it has been called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from efface.evidence.receipt import Receipt
from efface.page.blocker import Blocker, listed
from efface.page.farewell import Farewell

Send = Callable[[Farewell], Any]


class Letter:
    """The one mail of one attempt to close an account.

    Args:
        part: Reads whereto in the closing's transaction, and returns what sends the mail.
        word: Turns the receipt into what the mail says.
        report: Says in the log what failed, without its words.
    """

    __slots__ = ("_part", "_report", "_send", "_word")

    def __init__(
        self,
        part: Callable[..., Send | None] | None,
        word: Callable[[Receipt], Farewell],
        report: Callable[[str, Exception], None],
    ) -> None:
        self._part, self._word, self._report = part, word, report
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
        return None if send is None else send(self._word(receipt))

    def failed(self, receipt: Receipt, error: Exception) -> None:
        """Say in the log that the mail was not sent, without its address."""
        self._report(f"The farewell of {receipt.reference} could not be sent", error)

    def _take(self, *whose: Any) -> None:
        if self._part is None:
            return
        try:
            self._send = self._part(*whose)
        except Exception as error:  # noqa: BLE001  (without a mail the account is closed, too)
            self._report("The farewell could not be prepared", error)
