"""The registration form: check it, create the account, and send the confirmation email."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import Response

from garden import notices
from garden.accounts import sessions, users
from garden.accounts.attempt_limits import account_of
from garden.accounts.form_validation import FormError
from garden.routes.email_confirmation import send_instructions
from garden.routes.login import send_link
from garden.web import Database, ForOthers, Text, limit, redirect, render

router = APIRouter()


@router.get("/users/register", dependencies=[ForOthers])
def new(request: Request) -> Response:
    """Show the form."""
    return render(request, "registration", values={}, errors={})


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
    """Create an account, log in, and send the confirmation email.

    If members log in with links, the email with the login link comes first.
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
        return render(request, "registration", status=422, values=values, errors=problem.errors)
    if is_magic:
        db.commit()
        send_link(request, tasks, user.email)
        return redirect(request, "/users/log_in", info=notices.FIRST_LINK_IS_COMING)
    response = sessions.log_in(request, db, user, info=notices.WELCOME)
    send_instructions(request, tasks, user.email)
    return response
