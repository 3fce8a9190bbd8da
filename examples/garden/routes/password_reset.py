"""Reset a password through a link in an email."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import Response

from garden import notices
from garden.accounts import emails, tokens, users
from garden.accounts.attempt_limits import account_of
from garden.accounts.email_delivery import deliver_user_reset_password_instructions
from garden.accounts.form_validation import FormError
from garden.web import Database, ForOthers, Text, limit, link_to, redirect, render

router = APIRouter(dependencies=[ForOthers])


@router.get("/users/reset_password")
def new(request: Request) -> Response:
    """Show the form that asks for the email."""
    return render(request, "forgot_password")


@router.post("/users/reset_password")
def create(request: Request, tasks: BackgroundTasks, email: Text = "") -> Response:
    """Send the email; the answer is the same for every address."""
    limit(request, "mail", account=account_of(email))
    state = request.app.state
    tasks.add_task(
        deliver_user_reset_password_instructions,
        state.sessions,
        state.mailer,
        email,
        lambda secret: link_to(request, f"/users/reset_password/{secret}"),
    )
    return redirect(request, "/", info=notices.RESET_IS_COMING)


@router.get("/users/reset_password/{token}")
def edit(request: Request, db: Database, token: str) -> Response:
    """Show the form for a new password."""
    return _form(request, db, token)


@router.api_route("/users/reset_password/{token}", methods=["PUT", "POST"])
def update(
    request: Request,
    db: Database,
    tasks: BackgroundTasks,
    token: str,
    *,
    password: Text = "",
    password_confirmation: Annotated[str | None, Form()] = None,
) -> Response:
    """Set the password and log out everywhere; the link is looked at once more."""
    try:
        user = users.reset_user_password(
            db, token, password=password, password_confirmation=password_confirmation
        )
    except FormError as problem:
        db.rollback()
        return _form(request, db, token, 422, errors=problem.errors)
    if user is None:
        return redirect(request, "/", error=notices.BAD_RESET_LINK)
    db.commit()
    state = request.app.state
    tasks.add_task(state.closing.live.recheck, user.id)
    tasks.add_task(emails.deliver, state.mailer, user.email, emails.PASSWORD_CHANGED)
    return redirect(request, "/users/log_in", info=notices.PASSWORD_IS_RESET)


def _form(
    request: Request,
    db: Database,
    token: str,
    status: int = 200,
    errors: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    user = tokens.get_user_by_email_token(db, token, tokens.RESET_PASSWORD)
    if user is None:
        return redirect(request, "/", error=notices.BAD_RESET_LINK)
    page = {"token": token, "email": user.email, "errors": errors}
    return render(request, "reset_password", status=status, **page)
