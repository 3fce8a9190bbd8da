"""The settings page: email address, password, and Efface's section to delete the account."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, HTTPException, Request
from fastapi.responses import Response

from garden import notices
from garden.accounts import emails, sessions, users
from garden.accounts.email_delivery import deliver_user_update_email_instructions
from garden.accounts.form_validation import FormError
from garden.models import User
from garden.web import Database, Member, SudoMember, Text, limit, link_to, redirect, render

router = APIRouter()


@router.get("/users/settings")
def edit(request: Request, user: SudoMember) -> Response:
    """Show the page."""
    return _page(request, user)


@router.api_route("/users/settings", methods=["PUT", "POST"])
def update(
    request: Request,
    db: Database,
    user: SudoMember,
    tasks: BackgroundTasks,
    *,
    action: Text = "",
    email: Text = "",
    password: Text = "",
    password_confirmation: Annotated[str | None, Form()] = None,
    current_password: Text = "",
) -> Response:
    """Change what one of the two forms on the page is about."""
    limit(request, "password", account=str(user.id))
    try:
        if action == "update_email":
            new = users.apply_user_email(db, user, email=email, current_password=current_password)
            return _send_link(request, tasks, user, new)
        if action == "update_password":
            users.update_user_password(
                db,
                user,
                password=password,
                password_confirmation=password_confirmation,
                current_password=current_password,
            )
            return _log_in_again(request, db, tasks, user)
    except FormError as problem:
        db.rollback()
        return _page(request, user, 422, action=action, email=email, errors=problem.errors)
    raise HTTPException(422)


@router.get("/users/settings/confirm_email/{token}")
def confirm_email(
    request: Request, db: Database, tasks: BackgroundTasks, user: Member, token: str
) -> Response:
    """Use the new address from now on; the link works for its own user only."""
    old_email = user.email
    if not users.update_user_email(db, user, token):
        return redirect(request, "/users/settings", error=notices.BAD_EMAIL_LINK)
    db.commit()
    tasks.add_task(emails.deliver, request.app.state.mailer, old_email, emails.EMAIL_CHANGED)
    return redirect(request, "/users/settings", info=notices.EMAIL_IS_CHANGED)


def _page(request: Request, user: User, status: int = 200, **context: object) -> Response:
    page = {"action": "", "email": user.email, "errors": {}} | context
    return render(request, "account_settings", status=status, **page)


def _send_link(request: Request, tasks: BackgroundTasks, user: User, email: str) -> Response:
    state = request.app.state
    tasks.add_task(
        deliver_user_update_email_instructions,
        state.sessions,
        state.mailer,
        user.id,
        email,
        lambda secret: link_to(request, f"/users/settings/confirm_email/{secret}"),
    )
    return redirect(request, "/users/settings", info=notices.LINK_IS_SENT.format(email))


def _log_in_again(request: Request, db: Database, tasks: BackgroundTasks, user: User) -> Response:
    """Keep this browser logged in, with a new token; all other devices are out."""
    state, proved = request.app.state, request.state.login.authenticated_at
    response = sessions.log_in(
        request,
        db,
        user,
        # A new password is no new proof of who they are.
        authenticated_at=proved,
        to="/users/settings",
        info=notices.PASSWORD_IS_CHANGED,
    )
    tasks.add_task(state.closing.live.recheck, user.id)
    tasks.add_task(emails.deliver, state.mailer, user.email, emails.PASSWORD_CHANGED)
    return response
