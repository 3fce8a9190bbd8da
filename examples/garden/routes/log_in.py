"""Log in and out."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from garden.accounts import sessions, users
from garden.accounts.forms import LONGEST_EMAIL
from garden.web import Database, Visitor, render

router = APIRouter()


@router.get("/users/log_in")
def new(request: Request, user: Visitor) -> Response:
    """Show the form; also to members, who prove here once more that it is them."""
    return render(request, "log_in", email=user.email if user else "")


@router.post("/users/log_in")
def create(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    visitor: Visitor,
    *,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    remember_me: Annotated[str, Form()] = "",
) -> Response:
    """Log in; there is one answer for all that can be wrong."""
    user = users.get_user_by_email_and_password(db, email, password)
    if user is None:
        problem = {"error": "The address or the password is not right."}
        known = visitor.email if visitor else email[:LONGEST_EMAIL]
        return render(request, "log_in", status=422, email=known, flash=problem)
    if visitor is not None and visitor.id != user.id:
        tasks.add_task(request.app.state.closing.live.recheck, visitor.id)
    remember = remember_me == "true"
    return sessions.log_in(request, db, user, remember_me=remember, info="Welcome back!")


@router.delete("/users/log_out")
def delete(request: Request, db: Database, tasks: BackgroundTasks, user: Visitor) -> Response:
    """Log out; whoever was not logged in gets the same answer."""
    is_script = "x-csrf-token" in request.headers or "application/json" in request.headers.get(
        "accept", ""
    )
    # 303 makes the browser go on with GET; after 302 it would send DELETE to the start page.
    response = Response(status_code=204) if is_script else RedirectResponse("/", 303)
    sessions.log_out(request, db, response)
    request.session["flash"] = {"info": _goodbye(request, db)}
    if user is not None:
        tasks.add_task(request.app.state.closing.live.recheck, user.id)
    return response


@router.post("/users/log_out")
def delete_by_form(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    user: Visitor,
    method: Annotated[str, Form(alias="_method")] = "",
) -> Response:
    """Do the same for a plain form, which cannot send DELETE."""
    if method != "delete":
        raise HTTPException(405)
    return delete(request, db, tasks, user)


def _goodbye(request: Request, db: Database) -> str:
    ended = getattr(request.state, "ended_user_id", None)
    if ended is not None and users.is_closed(db, ended):
        return "Your account is closed, and you are signed out on every device. Goodbye!"
    return "You are logged out. See you soon!"
