"""Describe one event from a page to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from efface.live.frames import Frame, MessageId
from efface.live.socket_writer import SocketWriter


class LiveEvent:
    """One event from a page, passed to its handler.

    Without a call to `reply`, `refuse` or `fail`, the page gets an empty answer with the status
    ``"ok"``.

    Attributes:
        subject: The user's primary key, confirmed again for this event.
        name: The name of the event.
        payload: What the page sent with it, a dictionary from JSON. Don't trust it.
        connection: The integration's object for the socket that the event came through.
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
        """Answer with the status ``"ok"`` and this *payload*."""
        self._answer["payload"] = dict(payload)

    def refuse(self, message: str) -> None:
        """Answer with the status ``"refused"`` and the reason, which the user can change."""
        self._answer = {"status": "refused", "message": message}

    def fail(self, message: str) -> None:
        """Answer with the status ``"error"`` and a *message*: the server has failed."""
        self._answer = {"status": "error", "message": message}

    def log_out(self, to: str | None = None) -> None:
        """After the answer, log out the page, send it *to* a path of this site, and disconnect."""
        self.logs_out, self.to = True, to

    async def push(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event to this page only, before the answer.

        Raises:
            TypeError: *payload* contains a value that JSON doesn't have.
        """
        await self._writer.send({"event": event, "payload": dict(payload)})

    def ack(self, id_: MessageId) -> dict[str, Any]:
        """Return the answer to the message with this id."""
        return {"ack": id_, **self._answer}


# Each integration passes its own kind of LiveEvent.
Handler = Callable[[Any], Awaitable[Any]]
