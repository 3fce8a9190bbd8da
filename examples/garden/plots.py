"""Picking a plot: one to a member, and the first who picks it has it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from efface.asgi import Live, LiveEvent
from garden.models import Plot, User


def list_plots(session: Session) -> list[Plot]:
    """Return all plots, bed by bed."""
    return list(session.scalars(select(Plot).order_by(Plot.id)))


@dataclass(frozen=True)
class Picked:
    """A plot that has found its holder, and the one the holder had before."""

    plot: str
    freed: str | None


def pick_plot(session: Session, user_id: int, label: str) -> Picked | None:
    """Give a free plot to a member, and the one they had back; nothing if it is not free."""
    is_open = exists().where(User.id == user_id, User.deleted_at.is_(None))
    picked = session.scalars(
        update(Plot)
        .where(Plot.label == label, Plot.holder_id.is_(None), is_open)
        .values(holder_id=user_id)
        .returning(Plot.id)
        .execution_options(synchronize_session=False)
    )
    if picked.first() is None:
        return None
    freed = session.scalars(
        update(Plot)
        .where(Plot.holder_id == user_id, Plot.label != label)
        .values(holder_id=None)
        .returning(Plot.label)
        .execution_options(synchronize_session=False)
    )
    return Picked(label, freed.first())


async def tell(live: Live, user_id: Any, picked: Picked) -> None:
    """Tell the member's tabs that it is theirs, and everybody that it is taken, not by whom."""
    await live.push(user_id, "plot_picked", {"plot": picked.plot})
    await live.broadcast("plot_taken", {"plot": picked.plot, "freed": picked.freed})


def listen(live: Live, sessions: sessionmaker[Session]) -> None:
    """Let pages pick a plot over the live socket, and tell all others."""

    def pick(user_id: Any, label: str) -> Picked | None:
        with sessions.begin() as session:
            return pick_plot(session, user_id, label)

    @live.on("pick_plot")
    async def on_pick_plot(event: LiveEvent) -> None:
        label = event.payload.get("plot")
        if not isinstance(label, str) or not label.isascii():
            event.refuse("There is no such plot.")
        elif picked := await run_in_threadpool(pick, event.subject, label):
            await tell(live, event.subject, picked)
        else:
            event.refuse(f"Somebody else has plot {label[:3]} already.")
