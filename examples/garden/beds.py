"""The plots in the database, and who has which."""

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from garden.models import Plot, User
from garden.plots import Picked


def list_plots(session: Session) -> list[Plot]:
    """Return all plots, bed by bed."""
    return list(session.scalars(select(Plot).order_by(Plot.id)))


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
