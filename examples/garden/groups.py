"""Groups of members, each with somebody who organizes it as long as anybody is in it."""

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, aliased

from efface.asgi import Blocker
from garden.account_closing import to_blockers
from garden.models import PlotGroup, PlotGroupMember


def get_group(session: Session, group_id: int, user_id: int) -> PlotGroup | None:
    """Return a group to one of its members; to others there is none."""
    query = select(PlotGroup).join(PlotGroup.members)
    query = query.where(PlotGroup.id == group_id, PlotGroupMember.user_id == user_id)
    return session.scalars(query).one_or_none()


def make_organizer(session: Session, group_id: int, *, by: int, member: int) -> bool:
    """Let a *member* of a group organize it too, by leave of one who does; return whether."""
    _lock(session, [group_id])
    organizer = aliased(PlotGroupMember)
    may = exists().where(
        organizer.group_id == group_id, organizer.user_id == by, organizer.is_organizer
    )
    made = session.scalars(
        update(PlotGroupMember)
        .where(PlotGroupMember.group_id == group_id, PlotGroupMember.user_id == member, may)
        .values(is_organizer=True)
        .returning(PlotGroupMember.user_id)
        .execution_options(synchronize_session=False)
    )
    return made.first() is not None


def blockers(session: Session, user_id: int) -> list[Blocker]:
    """Return what a member has to settle before leaving."""
    return to_blockers(left_without_organizer(session, user_id))


def left_without_organizer(session: Session, user_id: int) -> list[PlotGroup]:
    """Return the groups that others would be left in without an organizer.

    They stay locked until the transaction ends, also where the member organizes nothing: nobody
    is made organizer who is just leaving. Alone in a group, one may go.
    """
    table = PlotGroupMember.__table__
    mine = select(table.c.group_id).where(table.c.user_id == user_id).order_by(table.c.group_id)
    ids = session.scalars(mine).all()
    if not ids:
        return []
    _lock(session, ids)
    # A statement of its own, after the lock: only now it sees what others have just committed.
    other = aliased(PlotGroupMember)
    others = exists().where(other.group_id == PlotGroup.id, other.user_id != user_id)
    query = (
        select(PlotGroup)
        .join(PlotGroup.members)
        .where(PlotGroupMember.user_id == user_id, PlotGroupMember.is_organizer)
        .where(others, ~others.where(other.is_organizer))
        .order_by(PlotGroup.id)
    )
    return list(session.scalars(query))


def _lock(session: Session, ids: list[int]) -> None:
    # Always in the same order, so that two who lock several do not wait for each other.
    wanted = select(PlotGroup.id).where(PlotGroup.id.in_(ids)).order_by(PlotGroup.id)
    session.execute(wanted.with_for_update())
