"""Join the garden, and confirm the address one joined with."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import Response

from garden import notices
from garden.accounts import sessions, users
from garden.accounts.delivery import deliver_user_confirmation_instructions
from garden.accounts.forms import FormError
from garden.accounts.tries import account_of
from garden.routes.log_in import send_link
from garden.web import Database, ForOthers, Text, Visitor, limit, link_to, redirect, render

router = APIRouter()


@router.get("/users/register", dependencies=[ForOthers])
def new(request: Request) -> Response:
    """Show the form."""
    return render(request, "register", values={}, errors={})


@router.post("/users/register", dependencies=[ForOthers])
def create(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    *,
    email: Text = "",
    password: Text = "",
    password_confirmation: Annotated[str | None, Form()] = None,
    name: Text = "",
) -> Response:
    """Create an account, log in at once, and send the mail that confirms the address.

    Where links log in, the mail comes first.
    """
    limit(request, "registration", account=account_of(email))
    is_magic = request.app.state.settings.profile == "magic"
    try:
        user = users.register_user(
            db,
            email=email,
            password=None if is_magic else password,
            password_confirmation=password_confirmation,
            name=name,
        )
    except FormError as problem:
        values = {"email": email, "name": name}
        return render(request, "register", status=422, values=values, errors=problem.errors)
    if is_magic:
        db.commit()
        send_link(request, tasks, user.email)
        return redirect(request, "/users/log_in", info=notices.FIRST_LINK_IS_COMING)
    response = sessions.log_in(request, db, user, info=notices.WELCOME)
    _send_instructions(request, tasks, user.email)
    return response


@router.get("/users/confirm")
def new_confirmation(request: Request, _user: Visitor) -> Response:
    """Show the form that asks for the mail again."""
    return render(request, "confirm")


@router.post("/users/confirm")
def send_confirmation(
    request: Request, tasks: BackgroundTasks, _user: Visitor, email: Text = ""
) -> Response:
    """Send the mail again; the answer is the same for every address."""
    limit(request, "mail", account=account_of(email))
    _send_instructions(request, tasks, email)
    return redirect(request, "/", info=notices.CONFIRMATION_IS_COMING)


@router.get("/users/confirm/{token}")
def edit_confirmation(request: Request, token: str) -> Response:
    """Show a button: mail scanners open links, and nothing must come of that."""
    return render(request, "confirm_account", token=token)


@router.post("/users/confirm/{token}")
def confirm(
    request: Request, db: Database, tasks: BackgroundTasks, user: Visitor, token: str
) -> Response:
    """Confirm the address; nobody is logged in by it."""
    confirmed = users.confirm_user(db, token, logged_in=user)
    if confirmed is not None:
        db.commit()
        tasks.add_task(request.app.state.closing.live.recheck, confirmed.id)
        told = notices.CONFIRMED if confirmed.hashed_password else notices.CLEARED
        return redirect(request, "/", info=told)
    if user is not None and user.confirmed_at:
        return redirect(request, "/")
    return redirect(request, "/", error=notices.BAD_CONFIRMATION_LINK)


def _send_instructions(request: Request, tasks: BackgroundTasks, email: str) -> None:
    state = request.app.state
    tasks.add_task(
        deliver_user_confirmation_instructions,
        state.sessions,
        state.mailer,
        email,
        lambda secret: link_to(request, f"/users/confirm/{secret}"),
    )
