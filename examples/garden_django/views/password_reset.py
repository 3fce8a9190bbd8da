"""Set a new password through a link sent by mail."""

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
    """Send the mail; the answer is the same for every address."""
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
        if tokens.get_user_by_email_token(token, tokens.RESET_PASSWORD) is None:
            return redirect(request, "/", error=notices.BAD_RESET_LINK)
        return render(request, "reset_password", token=token, errors={})
    (password,) = fields(request, "password")
    again = request.form.get("password_confirmation")
    try:
        user = users.reset_user_password(token, password=password, password_confirmation=again)
    except FormError as problem:
        page = {"token": token, "errors": problem.errors}
        return render(request, "reset_password", status=422, **page)
    if user is None:
        return redirect(request, "/", error=notices.BAD_RESET_LINK)
    live.recheck_soon(user.pk)
    after_the_answer(request, deliver_notice, user.email, emails.PASSWORD_CHANGED)
    return redirect(request, "/users/log_in", info=notices.PASSWORD_IS_RESET)
