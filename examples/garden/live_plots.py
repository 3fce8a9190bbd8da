"""Picking a plot over the WebSocket: one to a member, and the first who picks it has it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from efface.live.live_event import LiveEvent
from efface.live.open_sockets import OpenSockets


@dataclass(frozen=True)
class Picked:
    """A plot that has found its holder, and the one the holder had before."""

    plot: str
    freed: str | None


async def tell(live: OpenSockets, user_id: Any, picked: Picked) -> None:
    """Tell the member's tabs that it is theirs, and everybody that it is taken, not by whom."""
    await live.push(user_id, "plot_picked", {"plot": picked.plot})
    await live.broadcast("plot_taken", {"plot": picked.plot, "freed": picked.freed})


def listen(live: OpenSockets, pick: Callable[[Any, str], Awaitable[Picked | None]]) -> None:
    """Let pages pick a plot over the WebSocket, and tell all others.

    *pick* takes the member's key and the label of the plot.
    """

    @live.on("pick_plot")
    async def on_pick_plot(event: LiveEvent) -> None:
        label = event.payload.get("plot")
        if not isinstance(label, str) or not label.isascii():
            event.refuse("This plot doesn't exist.")
        elif picked := await pick(event.subject, label):
            await tell(live, event.subject, picked)
        else:
            event.refuse(f"Another member already has plot {label[:3]}.")
