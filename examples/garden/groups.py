"""Groups of members. As long as a group has members, one of them organizes it."""

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, aliased

from efface.asgi import Blocker
from garden.account_closing import to_blockers
from garden.accounts.users import list_users
from garden.models import PlotGroup, PlotGroupMember, User


def get_group(session: Session, group_id: int, user_id: int) -> PlotGroup | None:
    """Return a group if the user is a member of it."""
    query = select(PlotGroup).join(PlotGroup.members)
    query = query.where(PlotGroup.id == group_id, PlotGroupMember.user_id == user_id)
    return session.scalars(query).one_or_none()


def make_organizer(session: Session, group_id: int, *, by: int, member: int) -> bool:
    """Make a *member* an organizer too, if *by* is one; return whether it was done."""
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
    """Return what a member has to do before deleting the account."""
    return to_blockers(left_without_organizer(session, user_id))


def find_member(session: Session, *, is_blocked: bool) -> User | None:
    """Return the first member who can delete their account now, or who can't."""
    members = list_users(session)
    found = (each for each in members if bool(blockers(session, each.id)) == is_blocked)
    return next(found, None)


def left_without_organizer(session: Session, user_id: int) -> list[PlotGroup]:
    """Return the groups whose other members would have no organizer.

    All groups of the member stay locked until the transaction ends, so that a member whose
    account is being closed can't become an organizer. A group of one doesn't count.
    """
    table = PlotGroupMember.__table__
    mine = select(table.c.group_id).where(table.c.user_id == user_id).order_by(table.c.group_id)
    ids = session.scalars(mine).all()
    if not ids:
        return []
    _lock(session, ids)
    # A new statement after the lock: only now it sees the commits of others.
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
    # Always in the same order, so that two transactions can't deadlock.
    wanted = select(PlotGroup.id).where(PlotGroup.id.in_(ids)).order_by(PlotGroup.id)
    session.execute(wanted.with_for_update())
