"""The registration form: check it, create the account, and send the confirmation email."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from garden import notices
from garden.accounts.attempt_limits import account_of
from garden.accounts.form_validation import FormError
from garden_django.accounts import sessions, users
from garden_django.app_state import state
from garden_django.views.email_confirmation import send_instructions
from garden_django.views.login import send_link
from garden_django.web import (
    fields,
    for_others,
    limit,
    redirect,
    render,
)


@require_http_methods(["GET", "POST"])
@for_others
def register(request: HttpRequest) -> HttpResponse:
    """Create an account, log in, and send the confirmation email.

    If members log in with links, the email with the login link comes first.
    """
    if request.method == "GET":
        return render(request, "registration", values={}, errors={})
    email, password, name = fields(request, "email", "password", "name")
    limit(request, "registration", account=account_of(email))
    is_magic = state.settings.profile == "magic"
    try:
        user = users.register_user(
            email=email,
            password=None if is_magic else password,
            password_confirmation=request.form.get("password_confirmation"),
            name=name,
        )
    except FormError as problem:
        values = {"email": email, "name": name}
        return render(request, "registration", status=422, values=values, errors=problem.errors)
    if is_magic:
        send_link(request, user.email)
        return redirect(request, "/users/log_in", info=notices.FIRST_LINK_IS_COMING)
    send_instructions(request, user.email)
    return sessions.log_in(request, user, info=notices.WELCOME)
