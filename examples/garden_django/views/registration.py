"""Join the garden, and confirm the address one joined with."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from garden import notices
from garden.accounts.forms import FormError
from garden.accounts.tries import account_of
from garden_django.accounts import sessions, users
from garden_django.accounts.delivery import deliver_user_confirmation_instructions
from garden_django.live import live
from garden_django.parts import parts
from garden_django.views.log_in import send_link
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
def register(request: HttpRequest) -> HttpResponse:
    """Create an account, log in at once, and send the mail that confirms the address.

    Where links log in, the mail comes first.
    """
    if request.method == "GET":
        return render(request, "register", values={}, errors={})
    email, password, name = fields(request, "email", "password", "name")
    limit(request, "registration", account=account_of(email))
    is_magic = parts.settings.profile == "magic"
    try:
        user = users.register_user(
            email=email,
            password=None if is_magic else password,
            password_confirmation=request.form.get("password_confirmation"),
            name=name,
        )
    except FormError as problem:
        values = {"email": email, "name": name}
        return render(request, "register", status=422, values=values, errors=problem.errors)
    if is_magic:
        send_link(request, user.email)
        return redirect(request, "/users/log_in", info=notices.FIRST_LINK_IS_COMING)
    _send_instructions(request, user.email)
    return sessions.log_in(request, user, info=notices.WELCOME)


@require_http_methods(["GET", "POST"])
def ask_to_confirm(request: HttpRequest) -> HttpResponse:
    """Send the mail again; the answer is the same for every address."""
    if request.method == "GET":
        return render(request, "confirm")
    (email,) = fields(request, "email")
    limit(request, "mail", account=account_of(email))
    _send_instructions(request, email)
    return redirect(request, "/", info=notices.CONFIRMATION_IS_COMING)


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button, since mail scanners open links; it confirms, and logs nobody in."""
    if request.method == "GET":
        return render(request, "confirm_account", token=token)
    user = request.user if request.user.is_authenticated else None
    confirmed = users.confirm_user(token, logged_in=user)
    if confirmed is not None:
        live.recheck_soon(confirmed.pk)
        told = notices.CONFIRMED if confirmed.password else notices.CLEARED
        return redirect(request, "/", info=told)
    if user is not None and user.confirmed_at:
        return redirect(request, "/")
    return redirect(request, "/", error=notices.BAD_CONFIRMATION_LINK)


def _send_instructions(request: HttpRequest, email: str) -> None:
    link = link_to(request, "/users/confirm/")
    after_the_answer(request, deliver_user_confirmation_instructions, email, link)
