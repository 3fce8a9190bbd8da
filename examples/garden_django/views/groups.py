"""The page of a group, where another member can be made organizer."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from garden import notices
from garden_django.groups import get_group, make_organizer
from garden_django.web import RefusedError, fields, for_members, redirect, render

LONGEST_KEY = 18  # of digits


@require_GET
@for_members
def show(request: HttpRequest, group_id: int) -> HttpResponse:
    """Show who is in the group, to those who are."""
    group = get_group(group_id, request.user.pk)
    if group is None:
        raise Http404
    members = group.members.select_related("user").order_by("user_id")
    return render(request, "group", group=group, members=list(members))


@require_POST
@for_members
def add_organizer(request: HttpRequest, group_id: int) -> HttpResponse:
    """Make another member organizer."""
    (member,) = fields(request, "member")
    if not (member.isascii() and member.isdecimal() and len(member) <= LONGEST_KEY):
        raise RefusedError(422)
    page = f"/groups/{group_id}"
    if not make_organizer(group_id, by=request.user.pk, member=int(member)):
        return redirect(request, page, error=notices.NO_ORGANIZER)
    return redirect(request, page, info=notices.ONE_MORE_ORGANIZER)
