"""Log in and out."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from efface.page.local_paths import is_local_path
from garden import notices
from garden.accounts import sessions, tokens, users
from garden.accounts.attempt_limits import account_of
from garden.accounts.email_delivery import deliver_login_instructions
from garden.accounts.form_validation import LONGEST_EMAIL
from garden.models import User
from garden.web import Database, Text, Visitor, limit, link_to, redirect, render

router = APIRouter()


@router.get("/users/log_in")
def new(request: Request, user: Visitor) -> Response:
    """Show the form, also to members who have to log in again.

    A page that needs a login can name itself in `return_to`, as Efface's page does.
    """
    to = request.query_params.get("return_to")
    if is_local_path(to):  # "//elsewhere.example" is another site
        request.session["user_return_to"] = to
    return render(request, "login", email=user.email if user else "")


@router.post("/users/log_in")
def create(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    visitor: Visitor,
    *,
    email: Text = "",
    password: Text = "",
    remember_me: Text = "",
    action: Text = "",
    token: Annotated[str, Form()] = "",
) -> Response:
    """Log in by password or link; every failure gets the same response."""
    is_magic = request.app.state.settings.profile == "magic"
    if is_magic and action == "send_link":
        limit(request, "mail", account=account_of(email))
        send_link(request, tasks, email)
        return redirect(request, "/users/log_in", info=notices.LOGIN_LINK_IS_COMING)
    limit(request, "login", account="" if token else account_of(email))
    if is_magic and token:
        user = users.log_in_user_by_magic_link(db, token)
        if user is None:
            return redirect(request, "/users/log_in", error=notices.BAD_LOGIN_LINK)
        return _welcome(request, db, tasks, user, visitor, remember_me=remember_me)
    user = users.get_user_by_email_and_password(db, email, password)
    if user is None:
        problem = {"error": notices.WRONG_LOGIN}
        known = visitor.email if visitor else email[:LONGEST_EMAIL]
        return render(request, "login", status=422, email=known, flash=problem)
    return _welcome(request, db, tasks, user, visitor, remember_me=remember_me)


@router.get("/users/log_in/{token}")
def look(request: Request, db: Database, _user: Visitor, token: str) -> Response:
    """Show whom a login link would log in; email scanners open links, so this doesn't use it up."""
    user = tokens.get_user_by_email_token(db, token, tokens.LOG_IN)
    if user is None or request.app.state.settings.profile != "magic":
        return redirect(request, "/users/log_in", error=notices.BAD_LOGIN_LINK)
    return render(request, "login_link", token=token, member=user)


def send_link(request: Request, tasks: BackgroundTasks, email: str) -> None:
    """Send the link that logs in, after the answer."""
    state = request.app.state
    tasks.add_task(
        deliver_login_instructions,
        state.sessions,
        state.mailer,
        email,
        lambda secret: link_to(request, f"/users/log_in/{secret}"),
        lambda secret: link_to(request, f"/users/confirm/{secret}"),
    )


@router.delete("/users/log_out")
def delete(request: Request, db: Database, tasks: BackgroundTasks, user: Visitor) -> Response:
    """Log out; without a login the response is the same."""
    is_script = "x-csrf-token" in request.headers or "application/json" in request.headers.get(
        "accept", ""
    )
    # 303 makes the browser go on with GET; after 302 it would send DELETE to the home page.
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


def _welcome(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    user: User,
    visitor: User | None,
    *,
    remember_me: str,
) -> Response:
    """Log in, and close WebSockets whose login has ended."""
    recheck = request.app.state.closing.live.recheck
    for user_id in {user.id, visitor.id if visitor else user.id}:
        tasks.add_task(recheck, user_id)
    remember = remember_me == "true"
    return sessions.log_in(request, db, user, remember_me=remember, info=notices.WELCOME_BACK)


def _goodbye(request: Request, db: Database) -> str:
    ended = getattr(request.state, "ended_user_id", None)
    if ended is not None and users.is_closed(db, ended):
        return notices.GOODBYE
    return notices.SEE_YOU
