"""Groups of members, each with somebody who organizes it as long as anybody is in it."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef

from efface.django import Blocker
from garden.account_closing import to_blockers
from garden_django.models import PlotGroup, PlotGroupMember, User


def get_group(group_id: int, user_id: int) -> PlotGroup | None:
    """Return a group to one of its members; to others there is none."""
    return PlotGroup.objects.filter(pk=group_id, members__user_id=user_id).first()


@transaction.atomic
def make_organizer(group_id: int, *, by: int, member: int) -> bool:
    """Let a *member* of a group organize it too, by leave of one who does; return whether."""
    _lock([group_id])
    of_the_group = PlotGroupMember.objects.filter(group_id=group_id)
    if not of_the_group.filter(user_id=by, is_organizer=True).exists():
        return False
    return of_the_group.filter(user_id=member).update(is_organizer=True) > 0


def blockers(user: User) -> list[Blocker]:
    """Return what a member has to settle before leaving."""
    return to_blockers(left_without_organizer(user))


def left_without_organizer(user: User) -> list[PlotGroup]:
    """Return the groups that others would be left in without an organizer.

    They stay locked until the transaction ends, also where the member organizes nothing: nobody
    is made organizer who is just leaving. Alone in a group, one may go.
    """
    mine = PlotGroupMember.objects.filter(user_id=user.pk)
    _lock(mine.values_list("group_id", flat=True))
    # A query of its own, after the lock: only now it sees what others have just committed.
    others = PlotGroupMember.objects.filter(group=OuterRef("pk")).exclude(user_id=user.pk)
    found = PlotGroup.objects.filter(members__user_id=user.pk, members__is_organizer=True)
    found = found.filter(Exists(others), ~Exists(others.filter(is_organizer=True)))
    return list(found.order_by("pk"))


def _lock(ids: Iterable[int]) -> None:
    # Always in the same order, so that two who lock several do not wait for each other.
    list(PlotGroup.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"))
