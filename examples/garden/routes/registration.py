"""Join the garden, and confirm the address one joined with."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import Response

from garden.accounts import sessions, tokens, users
from garden.accounts.forms import FormError
from garden.accounts.letters import deliver_user_confirmation_instructions
from garden.web import Database, ForOthers, Visitor, link_to, redirect, render

router = APIRouter()

Text = Annotated[str, Form()]

MAIL_IS_COMING = (
    "If your address is in our system and not confirmed yet, "
    "you will receive a mail with instructions shortly."
)
BAD_LINK = "The confirmation link is not valid or it has expired."


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
    """Create an account, log in at once, and send the mail that confirms the address."""
    try:
        user = users.register_user(
            db,
            email=email,
            password=password,
            password_confirmation=password_confirmation,
            name=name,
        )
    except FormError as problem:
        values = {"email": email, "name": name}
        return render(request, "register", status=422, values=values, errors=problem.errors)
    response = sessions.log_in(request, db, user, info="Welcome to the garden!")
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
    _send_instructions(request, tasks, email)
    return redirect(request, "/", info=MAIL_IS_COMING)


@router.get("/users/confirm/{token}")
def edit_confirmation(request: Request, db: Database, user: Visitor, token: str) -> Response:
    """Show a button: mail scanners open links, and nothing must come of that."""
    owner = tokens.get_user_by_email_token(db, token, tokens.CONFIRM)
    ask = owner is not None and owner.hashed_password and (user is None or user.id != owner.id)
    return render(request, "confirm_account", token=token, ask_for_password=bool(ask))


@router.post("/users/confirm/{token}")
def confirm(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    user: Visitor,
    *,
    token: str,
    password: Text = "",
) -> Response:
    """Confirm the address; nobody is logged in by it."""
    confirmed = users.confirm_user(db, token, current_user=user, password=password)
    if confirmed is None:
        if user is not None and user.confirmed_at:
            return redirect(request, "/")
        return redirect(request, "/", error=BAD_LINK)
    db.commit()
    tasks.add_task(request.app.state.closing.live.recheck, confirmed.id)
    if confirmed.hashed_password is None:
        return redirect(
            request,
            "/users/reset_password",
            info="Your address is confirmed. Now choose a password: ask for the link here.",
        )
    return redirect(request, "/", info="Your address is confirmed.")


def _send_instructions(request: Request, tasks: BackgroundTasks, email: str) -> None:
    state = request.app.state
    tasks.add_task(
        deliver_user_confirmation_instructions,
        state.sessions,
        state.mailer,
        email,
        lambda secret: link_to(request, f"/users/confirm/{secret}"),
    )
