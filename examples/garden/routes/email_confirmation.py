"""Confirm the email address of a new account through a link in an email."""

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import Response

from garden import notices
from garden.accounts import users
from garden.accounts.attempt_limits import account_of
from garden.accounts.email_delivery import deliver_user_confirmation_instructions
from garden.web import Database, Text, Visitor, limit, link_to, redirect, render

router = APIRouter()


@router.get("/users/confirm")
def new_confirmation(request: Request, _user: Visitor) -> Response:
    """Show the form that asks for the email again."""
    return render(request, "confirmation_request")


@router.post("/users/confirm")
def send_confirmation(
    request: Request, tasks: BackgroundTasks, _user: Visitor, email: Text = ""
) -> Response:
    """Send the email again; the answer is the same for every address."""
    limit(request, "mail", account=account_of(email))
    send_instructions(request, tasks, email)
    return redirect(request, "/", info=notices.CONFIRMATION_IS_COMING)


@router.get("/users/confirm/{token}")
def edit_confirmation(request: Request, token: str) -> Response:
    """Show a button, because email scanners open links."""
    return render(request, "confirmation", token=token)


@router.post("/users/confirm/{token}")
def confirm(
    request: Request, db: Database, tasks: BackgroundTasks, user: Visitor, token: str
) -> Response:
    """Confirm the address; this logs no user in."""
    confirmed = users.confirm_user(db, token, logged_in=user)
    if confirmed is not None:
        db.commit()
        tasks.add_task(request.app.state.closing.live.recheck, confirmed.id)
        told = notices.CONFIRMED if confirmed.hashed_password else notices.CLEARED
        return redirect(request, "/", info=told)
    if user is not None and user.confirmed_at:
        return redirect(request, "/")
    return redirect(request, "/", error=notices.BAD_CONFIRMATION_LINK)


def send_instructions(request: Request, tasks: BackgroundTasks, email: str) -> None:
    """Send the link that confirms an email address, after the response."""
    state = request.app.state
    tasks.add_task(
        deliver_user_confirmation_instructions,
        state.sessions,
        state.mailer,
        email,
        lambda secret: link_to(request, f"/users/confirm/{secret}"),
    )
