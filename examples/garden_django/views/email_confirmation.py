"""Confirm the email address of a new account through a link in an email."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from garden import notices
from garden.accounts.attempt_limits import account_of
from garden_django.accounts import users
from garden_django.accounts.email_delivery import deliver_user_confirmation_instructions
from garden_django.live import live
from garden_django.web import after_the_answer, fields, limit, link_to, redirect, render


@require_http_methods(["GET", "POST"])
def ask_to_confirm(request: HttpRequest) -> HttpResponse:
    """Send the email again; the answer is the same for every address."""
    if request.method == "GET":
        return render(request, "confirmation_request")
    (email,) = fields(request, "email")
    limit(request, "mail", account=account_of(email))
    send_instructions(request, email)
    return redirect(request, "/", info=notices.CONFIRMATION_IS_COMING)


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button, because email scanners open links; it confirms, and logs no user in."""
    if request.method == "GET":
        return render(request, "confirmation", token=token)
    user = request.user if request.user.is_authenticated else None
    confirmed = users.confirm_user(token, logged_in=user)
    if confirmed is not None:
        live.recheck_soon(confirmed.pk)
        told = notices.CONFIRMED if confirmed.password else notices.CLEARED
        return redirect(request, "/", info=told)
    if user is not None and user.confirmed_at:
        return redirect(request, "/")
    return redirect(request, "/", error=notices.BAD_CONFIRMATION_LINK)


def send_instructions(request: HttpRequest, email: str) -> None:
    """Send the link that confirms an email address, after the response."""
    link = link_to(request, "/users/confirm/")
    after_the_answer(request, deliver_user_confirmation_instructions, email, link)
