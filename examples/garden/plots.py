"""The plots in the database, and who has which."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from garden.database import lock_account
from garden.live_plots import Picked
from garden.models import Plot


def list_plots(session: Session) -> list[Plot]:
    """Return all plots, bed by bed."""
    return list(session.scalars(select(Plot).order_by(Plot.id)))


def pick_plot(session: Session, user_id: int, label: str) -> Picked | None:
    """Give a free plot to a member, and the one they had back; nothing if it is not free."""
    # Locked, so that a member whose account is being closed can't pick a plot.
    if not lock_account(session, user_id):
        return None
    picked = session.scalars(
        update(Plot)
        .where(Plot.label == label, Plot.holder_id.is_(None))
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
