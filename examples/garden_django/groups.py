"""Groups of members. As long as a group has members, one of them organizes it."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef

from efface.django import Blocker
from garden.account_closing import to_blockers
from garden_django.accounts.users import list_users
from garden_django.models import PlotGroup, PlotGroupMember, User


def get_group(group_id: int, user_id: int) -> PlotGroup | None:
    """Return a group if the user is a member of it."""
    return PlotGroup.objects.filter(pk=group_id, members__user_id=user_id).first()


@transaction.atomic
def make_organizer(group_id: int, *, by: int, member: int) -> bool:
    """Make a *member* an organizer too, if *by* is one; return whether it was done."""
    _lock([group_id])
    of_the_group = PlotGroupMember.objects.filter(group_id=group_id)
    if not of_the_group.filter(user_id=by, is_organizer=True).exists():
        return False
    return of_the_group.filter(user_id=member).update(is_organizer=True) > 0


def blockers(user: User) -> list[Blocker]:
    """Return what a member has to do before deleting the account."""
    return to_blockers(left_without_organizer(user))


@transaction.atomic
def find_member(*, is_blocked: bool) -> User | None:
    """Return the first member who can delete their account now, or who can't."""
    found = (each for each in list_users() if bool(blockers(each)) == is_blocked)
    return next(found, None)


def left_without_organizer(user: User) -> list[PlotGroup]:
    """Return the groups whose other members would have no organizer.

    All groups of the member stay locked until the transaction ends, so that a member whose
    account is being closed can't become an organizer. A group of one doesn't count.
    """
    mine = PlotGroupMember.objects.filter(user_id=user.pk)
    _lock(mine.values_list("group_id", flat=True))
    # A new query after the lock: only now it sees the commits of others.
    others = PlotGroupMember.objects.filter(group=OuterRef("pk")).exclude(user_id=user.pk)
    found = PlotGroup.objects.filter(members__user_id=user.pk, members__is_organizer=True)
    found = found.filter(Exists(others), ~Exists(others.filter(is_organizer=True)))
    return list(found.order_by("pk"))


def _lock(ids: Iterable[int]) -> None:
    # Always in the same order, so that two transactions can't deadlock.
    list(PlotGroup.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"))
