"""The settings page: email address, password, and Efface's section to delete the account."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_http_methods

from garden import notices
from garden.accounts import emails
from garden.accounts.form_validation import FormError
from garden_django.accounts import sessions, users
from garden_django.accounts.email_delivery import (
    deliver_notice,
    deliver_user_update_email_instructions,
)
from garden_django.live import live
from garden_django.web import (
    RefusedError,
    after_the_answer,
    fields,
    for_members,
    for_sudo,
    limit,
    link_to,
    redirect,
    render,
)


@require_http_methods(["GET", "PUT", "POST"])
@for_sudo
def settings(request: HttpRequest) -> HttpResponse:
    """Show the page, and change what one of the two forms on it is about."""
    if request.method == "GET":
        return _page(request)
    user = request.user
    action, email, password, current_password = fields(
        request, "action", "email", "password", "current_password"
    )
    limit(request, "password", account=str(user.pk))
    try:
        if action == "update_email":
            new = users.apply_user_email(user, email=email, current_password=current_password)
            return _send_link(request, new)
        if action == "update_password":
            users.update_user_password(
                user,
                password=password,
                password_confirmation=request.form.get("password_confirmation"),
                current_password=current_password,
            )
            return _log_in_again(request)
    except FormError as problem:
        return _page(request, 422, action=action, email=email, errors=problem.errors)
    raise RefusedError(422)


@require_GET
@for_members
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Use the new address from now on; the link works for its own user only."""
    user, old_email = request.user, request.user.email
    if not users.update_user_email(user, token):
        return redirect(request, "/users/settings", error=notices.BAD_EMAIL_LINK)
    after_the_answer(request, deliver_notice, old_email, emails.EMAIL_CHANGED)
    return redirect(request, "/users/settings", info=notices.EMAIL_IS_CHANGED)


def _page(request: HttpRequest, status: int = 200, **context: object) -> HttpResponse:
    page = {"action": "", "email": request.user.email, "errors": {}} | context
    return render(request, "account_settings", status=status, **page)


def _send_link(request: HttpRequest, email: str) -> HttpResponse:
    link = link_to(request, "/users/settings/confirm_email/")
    after_the_answer(request, deliver_user_update_email_instructions, request.user.pk, email, link)
    return redirect(request, "/users/settings", info=notices.LINK_IS_SENT.format(email))


def _log_in_again(request: HttpRequest) -> HttpResponse:
    """Keep this browser logged in, with a new token; all other devices are out."""
    user = request.user
    response = sessions.log_in(
        request,
        user,
        # A new password is no new proof of who they are.
        authenticated_at=request.login.authenticated_at,
        to="/users/settings",
        info=notices.PASSWORD_IS_CHANGED,
    )
    live.recheck_soon(user.pk)
    after_the_answer(request, deliver_notice, user.email, emails.PASSWORD_CHANGED)
    return response
