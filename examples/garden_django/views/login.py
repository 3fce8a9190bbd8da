"""Log in and out."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.http import require_GET, require_http_methods

from efface.page.local_paths import is_local_path
from garden import notices
from garden.accounts.attempt_limits import account_of
from garden.accounts.form_validation import LONGEST_EMAIL
from garden_django.accounts import sessions, tokens, users
from garden_django.accounts.email_delivery import deliver_login_instructions
from garden_django.app_state import state
from garden_django.live import live
from garden_django.web import after_the_answer, fields, limit, link_to, redirect, render


@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Log in. Members who have to log in again use this page too.

    A page that needs a login can name itself in `return_to`, as Efface's page does.
    """
    if request.method == "POST":
        return _create(request)
    to = request.GET.get("return_to") or request.GET.get("next")
    if is_local_path(to):  # "//elsewhere.example" is another site
        request.session["user_return_to"] = to
    return render(request, "login", email=getattr(request.user, "email", ""))


def _create(request: HttpRequest) -> HttpResponse:
    """Log in by password or link; every failure gets the same response."""
    email, password, action = fields(request, "email", "password", "action")
    token = request.form.get("token", "")
    is_magic = state.settings.profile == "magic"
    if is_magic and action == "send_link":
        limit(request, "mail", account=account_of(email))
        send_link(request, email)
        return redirect(request, "/users/log_in", info=notices.LOGIN_LINK_IS_COMING)
    limit(request, "login", account="" if token else account_of(email))
    if is_magic and token:
        user = users.log_in_user_by_magic_link(token)
        if user is None:
            return redirect(request, "/users/log_in", error=notices.BAD_LOGIN_LINK)
        return _welcome(request, user)
    user = authenticate(request, email=email, password=password)
    if user is None:
        known = getattr(request.user, "email", email[:LONGEST_EMAIL])
        messages.error(request, notices.WRONG_LOGIN)
        return render(request, "login", status=422, email=known)
    return _welcome(request, user)


@require_GET
def look(request: HttpRequest, token: str) -> HttpResponse:
    """Show whom a login link would log in; email scanners open links, so this doesn't use it up."""
    user = tokens.get_user_by_email_token(token, tokens.LOG_IN)
    if user is None or state.settings.profile != "magic":
        return redirect(request, "/users/log_in", error=notices.BAD_LOGIN_LINK)
    return render(request, "login_link", token=token, member=user)


def send_link(request: HttpRequest, email: str) -> None:
    """Send the link that logs in, after the answer."""
    link, confirm = link_to(request, "/users/log_in/"), link_to(request, "/users/confirm/")
    after_the_answer(request, deliver_login_instructions, email, link, confirm)


@require_http_methods(["DELETE", "POST"])
def log_out(request: HttpRequest) -> HttpResponse:
    """Log out; without a login the response is the same.

    A plain form cannot send DELETE, and says so in a field.
    """
    if request.method == "POST" and request.form.get("_method") != "delete":
        return HttpResponseNotAllowed(["DELETE"])
    user, ended = request.user, getattr(request, "ended_user_id", None)
    is_goodbye = isinstance(ended, int) and users.is_closed(ended)
    # A script sends its token in a header.
    is_script = "_csrf_token" not in request.form or "application/json" in (
        request.headers.get("Accept", "")
    )
    # 303 makes the browser go on with GET; after 302 it would send DELETE to the home page.
    response = HttpResponse(status=204) if is_script else redirect(request, "/")
    sessions.log_out(request, response)
    messages.info(request, notices.GOODBYE if is_goodbye else notices.SEE_YOU)
    if user.pk is not None:
        live.recheck_soon(user.pk)
    return response


def _welcome(request: HttpRequest, user: Any) -> HttpResponse:
    """Log in, and close WebSockets whose login has ended."""
    visitor = request.user.pk or user.pk
    (remember_me,) = fields(request, "remember_me")
    answer = sessions.log_in(
        request, user, remember_me=remember_me == "true", info=notices.WELCOME_BACK
    )
    for user_id in {user.pk, visitor}:
        live.recheck_soon(user_id)
    return answer
