"""One event of a page, as its handler is given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from efface.live.frames import Frame, MessageId
from efface.live.socket_writer import SocketWriter


class LiveEvent:
    """One event of a page, given to its handler.

    Attributes:
        subject: Key of the person, confirmed anew for this event.
        name: Name of the event.
        payload: What the page sent with it. Treat it as hostile.
        connection: What the host knows the socket by that it came through.
    """

    def __init__(self, subject: Hashable, frame: Frame, writer: SocketWriter) -> None:
        self.subject = subject
        self.name = frame.event
        self.payload = frame.payload
        self.connection = writer.socket.connection
        self.logs_out = False
        self.to: str | None = None
        self._writer = writer
        self._answer: dict[str, Any] = {"status": "ok"}

    def reply(self, payload: Mapping[str, Any]) -> None:
        """Send *payload* along with the ack."""
        self._answer["payload"] = dict(payload)

    def refuse(self, message: str) -> None:
        """Answer that the event was understood and not carried out, and why."""
        self._answer = {"status": "refused", "message": message}

    def fail(self, message: str) -> None:
        """Answer that the event could not be carried out for a reason on our side."""
        self._answer = {"status": "error", "message": message}

    def log_out(self, to: str | None = None) -> None:
        """Send the page its log-out after the ack, leading *to* a page, and close the socket."""
        self.logs_out, self.to = True, to

    async def push(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to this page alone, before the ack.

        Raises:
            TypeError: *payload* holds a value JSON does not know.
        """
        await self._writer.send({"event": event, "payload": dict(payload)})

    def ack(self, id_: MessageId) -> dict[str, Any]:
        """Return the answer to the message with this id."""
        return {"ack": id_, **self._answer}


# Each host hands over its own kind of LiveEvent.
Handler = Callable[[Any], Awaitable[Any]]
