"""Handle the messages of one WebSocket in order, with one answer for each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from efface.live.frames import Frame, MessageId, UnreadableError, read_frame
from efface.live.live_event import Handler, LiveEvent
from efface.live.socket_writer import TOO_FAST, TOO_LARGE, SocketWriter, as_json
from efface.page.translations import translatable
from efface.safe_logging import reporter

report = reporter("efface.live")

MOST_UNHANDLED = 256
"""How many messages of one socket may wait, and how many bytes they may have."""
LARGEST_UNHANDLED = 256 * 1024
_ACKS_KEPT = 128

Who = Callable[[Any], Awaitable[Hashable | None]]
UNKNOWN = translatable("The server doesn't know this event. Reload the page.")
FAILED = translatable("Something went wrong. Try again in a moment.")


class MessageLoop:
    """Read one socket ahead, and answer its messages one by one."""

    def __init__(
        self,
        writer: SocketWriter,
        subject: Hashable,
        *,
        who: Who,
        event: type[LiveEvent],
        handlers: Mapping[str, Handler],
        largest_message: int,
    ) -> None:
        self._writer, self._subject = writer, subject
        self._who, self._event, self._handlers = who, event, handlers
        self._largest = largest_message
        # None after the last one. Bounded by _read, which closes the socket rather than wait.
        self._unhandled: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
        self._size = 0
        self._acks: OrderedDict[MessageId, dict[str, Any]] = OrderedDict()

    async def run(self) -> None:
        """Run until either side closes; messages read by then are still handled."""
        reading = asyncio.create_task(self._read())
        handling = asyncio.create_task(self._handle_all())
        over = asyncio.create_task(self._writer.over.wait())
        tasks = {reading, handling, over}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._unhandled.put_nowait(None)
            await handling
            if self._writer.ended:
                await over  # another task is ending the socket
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            message = await self._writer.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            size = _size_of(message)
            if size > self._largest:
                await self._writer.close(TOO_LARGE)
                return
            self._size += size
            if self._unhandled.qsize() >= MOST_UNHANDLED or self._size > LARGEST_UNHANDLED:
                await self._writer.close(TOO_FAST)
                return
            self._unhandled.put_nowait(message)

    async def _handle_all(self) -> None:
        while not self._writer.ended:
            message = await self._unhandled.get()
            if message is None or self._writer.ended:
                return
            self._size -= _size_of(message)
            await self._answer(message)

    async def _answer(self, message: Mapping[str, Any]) -> None:
        writer, acks = self._writer, self._acks
        try:
            frame = read_frame(message)
        except UnreadableError as error:
            await writer.send({"ack": error.id, "status": "error", "message": error.message})
            return
        if frame.id in acks:
            await writer.send(acks[frame.id])
            return
        event = await self._handle(frame)
        if event is None:
            await writer.end()
            return
        acks[frame.id] = event.ack(frame.id)
        if len(acks) > _ACKS_KEPT:
            acks.popitem(last=False)
        await writer.send(acks[frame.id])
        if event.logs_out:
            await writer.end(event.to)

    async def _handle(self, frame: Frame) -> LiveEvent | None:
        """Return the event with its answer, or None if the session has ended."""
        event = self._event(self._subject, frame, self._writer)
        try:
            if await self._who(event.connection) != self._subject:
                return None
            handler = self._handlers.get(frame.event)
            if handler is None:
                event.fail(self._writer.socket.say(UNKNOWN))
            else:
                await handler(event)
                as_json(event.ack(frame.id))
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("The handler of a live event failed", error)
            event.fail(self._writer.socket.say(FAILED))
        return event


def _size_of(message: Mapping[str, Any]) -> int:
    return len(message.get("text") or message.get("bytes") or "")
