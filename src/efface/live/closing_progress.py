"""How far a long closing is, told to the page that asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

EVENT = "closing_progress"
SECONDS = 0.5
"""How long a closing takes before it is worth a word, and how often there is one."""

Push = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Progress:
    """Notes what the closing says of itself, and passes it on now and then.

    The closing runs in a thread, or in this loop; either way it only leaves two numbers
    here. They are steps, not rows, and no more than that: as long as they come, nothing is
    committed.
    """

    def __init__(self, push: Push) -> None:
        self._push = push
        self._latest: tuple[int, int] | None = None

    def note(self, done: int, total: int) -> None:
        """Remember how many of how many steps are done."""
        self._latest = (done, total)

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Tell the page for as long as the context lasts."""
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
