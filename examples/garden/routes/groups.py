"""The page of a group, where another member can be made organizer."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from garden import notices
from garden.groups import get_group, make_organizer
from garden.web import Database, Member, redirect, render

router = APIRouter()


@router.get("/groups/{group_id}")
def show(request: Request, db: Database, user: Member, group_id: int) -> Response:
    """Show who is in the group, to those who are."""
    group = get_group(db, group_id, user.id)
    if group is None:
        raise HTTPException(404)
    return render(request, "group", group=group, members=group.members)


@router.post("/groups/{group_id}/organizers")
def add_organizer(
    request: Request,
    db: Database,
    user: Member,
    group_id: int,
    *,
    member: Annotated[int, Form()] = 0,
) -> Response:
    """Make another member organizer."""
    page = f"/groups/{group_id}"
    if not make_organizer(db, group_id, by=user.id, member=member):
        return redirect(request, page, error=notices.NO_ORGANIZER)
    db.commit()
    return redirect(request, page, info=notices.ONE_MORE_ORGANIZER)
