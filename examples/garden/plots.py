"""Picking a plot: one to a member, and the first who picks it has it."""

from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from efface.asgi import Live, LiveEvent
from garden.models import Plot, User


def list_plots(session: Session) -> list[Plot]:
    """Return all plots, bed by bed."""
    return list(session.scalars(select(Plot).order_by(Plot.id)))


def pick_plot(session: Session, user_id: int, label: str) -> bool:
    """Give a free plot to a member, and the one they had back; return whether it was free."""
    is_open = exists().where(User.id == user_id, User.deleted_at.is_(None))
    picked = session.scalars(
        update(Plot)
        .where(Plot.label == label, Plot.holder_id.is_(None), is_open)
        .values(holder_id=user_id)
        .returning(Plot.id)
        .execution_options(synchronize_session=False)
    )
    if picked.first() is None:
        return False
    session.execute(
        update(Plot)
        .where(Plot.holder_id == user_id, Plot.label != label)
        .values(holder_id=None)
        .execution_options(synchronize_session=False)
    )
    return True


def listen(live: Live, sessions: sessionmaker[Session]) -> None:
    """Let pages pick a plot over the live socket, and tell the member's other tabs."""

    def pick(user_id: Any, label: str) -> bool:
        with sessions.begin() as session:
            return pick_plot(session, user_id, label)

    @live.on("pick_plot")
    async def on_pick_plot(event: LiveEvent) -> None:
        label = event.payload.get("plot")
        if not isinstance(label, str) or not label.isascii():
            event.refuse("There is no such plot.")
        elif await run_in_threadpool(pick, event.subject, label):
            await live.push(event.subject, "plot_picked", {"plot": label})
        else:
            event.refuse(f"Somebody else has plot {label[:3]} already.")
