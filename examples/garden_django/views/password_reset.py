"""Reset a password through a link in an email."""

from collections.abc import Mapping
from types import MappingProxyType

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from garden import notices
from garden.accounts import emails
from garden.accounts.attempt_limits import account_of
from garden.accounts.form_validation import FormError
from garden_django.accounts import tokens, users
from garden_django.accounts.email_delivery import (
    deliver_notice,
    deliver_user_reset_password_instructions,
)
from garden_django.live import live
from garden_django.web import (
    after_the_answer,
    fields,
    for_others,
    limit,
    link_to,
    redirect,
    render,
)


@require_http_methods(["GET", "POST"])
@for_others
def ask_to_reset(request: HttpRequest) -> HttpResponse:
    """Send the email; the answer is the same for every address."""
    if request.method == "GET":
        return render(request, "forgot_password")
    (email,) = fields(request, "email")
    limit(request, "mail", account=account_of(email))
    link = link_to(request, "/users/reset_password/")
    after_the_answer(request, deliver_user_reset_password_instructions, email, link)
    return redirect(request, "/", info=notices.RESET_IS_COMING)


@require_http_methods(["GET", "PUT", "POST"])
@for_others
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """Set the password and log out everywhere; the link is looked at once more."""
    if request.method == "GET":
        return _form(request, token)
    (password,) = fields(request, "password")
    again = request.form.get("password_confirmation")
    try:
        user = users.reset_user_password(token, password=password, password_confirmation=again)
    except FormError as problem:
        return _form(request, token, 422, errors=problem.errors)
    if user is None:
        return redirect(request, "/", error=notices.BAD_RESET_LINK)
    live.recheck_soon(user.pk)
    after_the_answer(request, deliver_notice, user.email, emails.PASSWORD_CHANGED)
    return redirect(request, "/users/log_in", info=notices.PASSWORD_IS_RESET)


def _form(
    request: HttpRequest,
    token: str,
    status: int = 200,
    errors: Mapping[str, str] = MappingProxyType({}),
) -> HttpResponse:
    user = tokens.get_user_by_email_token(token, tokens.RESET_PASSWORD)
    if user is None:
        return redirect(request, "/", error=notices.BAD_RESET_LINK)
    page = {"token": token, "email": user.email, "errors": errors}
    return render(request, "reset_password", status=status, **page)
