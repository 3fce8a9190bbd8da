"""Report the progress of a long closing to the page that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

EVENT = "closing_progress"
SECONDS = 0.5
"""How long a closing takes before the first report, and the time between reports."""

Push = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Progress:
    """Remember the latest progress of a closure, and report it from time to time.

    The closure may run in a thread, so it only stores two numbers here. They count steps, not
    rows. While they change, nothing is committed yet.
    """

    def __init__(self, push: Push) -> None:
        self._push = push
        self._latest: tuple[int, int] | None = None

    def note(self, done: int, total: int) -> None:
        """Remember how many steps are done."""
        self._latest = (done, total)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Report to the page as long as the context lasts."""
        telling = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self) -> None:
        sent = None
        while True:
            await asyncio.sleep(SECONDS)
            if self._latest is not None and self._latest != sent:
                sent = self._latest
                await self._push(EVENT, {"done": sent[0], "of": sent[1]})
