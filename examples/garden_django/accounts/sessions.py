"""Who is logged in: the session cookie, the remember-me cookie, and the token both of them hold.

The token's row in the database is the truth. When it is gone, the cookies are worth nothing, and
the next answer cleans them up.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token

from garden import notices
from garden.accounts.token_secrets import MAX_AGE, REMEMBER_ME, Login, hash_secret
from garden_django.accounts import tokens
from garden_django.app_state import now, state
from garden_django.models import User
from garden_django.web import Answering, redirect

LOGIN_FIELDS = ("user_token", "user_id", "live_socket_id", "user_remember_me")


def log_in(
    request: HttpRequest,
    user: User,
    *,
    remember_me: bool = False,
    authenticated_at: datetime | None = None,
    to: str | None = None,
    info: str = "",
) -> HttpResponse:
    """Log *user* in, and redirect to the page they wanted.

    The old session ends, because another person may have planted or read it. Only if the same
    user logs in again, their open pages stay connected.
    """
    session, before = request.session, current_login(request)
    to = to or session.pop("user_return_to", None)
    remember_me = remember_me or session.get("user_remember_me", False)
    is_proof, authenticated_at = authenticated_at is None, authenticated_at or now()
    secret = None
    with transaction.atomic():
        if before is not None and before.user.pk == user.pk:
            to = to or "/users/settings"
            secret = tokens.replace_session_token(before, _secret(request), authenticated_at)
        elif before is not None:
            tokens.delete_user_session_token(_secret(request))
        if secret is None:
            secret = tokens.generate_user_session_token(user, authenticated_at)
            _renew(request)
    if secret is None:  # the account was closed meanwhile
        return redirect(request, "/users/log_in", error=notices.MUST_LOG_IN)
    _fill(request, secret, user.pk)
    if is_proof:
        user_logged_in.send(sender=User, request=request, user=user)
    response = redirect(request, to or "/", info=info)
    if remember_me:
        session["user_remember_me"] = True
        _remember(response, secret)
    return response


def log_out(request: HttpRequest, response: HttpResponse) -> None:
    """Log this browser out, and no other."""
    tokens.delete_user_session_token(_secret(request))
    user = request.user if request.user.is_authenticated else None
    user_logged_out.send(sender=User, request=request, user=user)
    _renew(request)
    request.login, request.user = None, AnonymousUser()
    _forget(response)


def current_login(request: HttpRequest) -> Login | None:
    """Return the login of a browser, as the database says at this moment.

    A socket has the cookie of its handshake permanently. When the browser has been given another
    token since, the socket is still one of its pages.
    """
    login = tokens.find_login(_secret(request))
    scope = getattr(request, "scope", {})  # of a socket, the same for all its events
    if login is not None:
        scope["browser_id"] = login.browser_id
    elif browser_id := scope.get("browser_id"):
        return tokens.find_login_of(browser_id)
    return login


def find_login_of_request(get_response: Answering) -> Answering:
    """Middleware: say who is logged in, by either cookie, and clean up after dead tokens."""

    def middleware(request: HttpRequest) -> HttpResponse:
        session, held = request.session, (_secret(request), _cookie(request))
        secret, request.login = _first_alive(held)
        if request.login is None:
            request.user = AnonymousUser()
            request.ended_user_id = session.get("user_id")
            for name in LOGIN_FIELDS:
                session.pop(name, None)
        else:
            request.user = request.login.user
            if secret != held[0]:
                _fill(request, secret, request.user.pk)
                if held[1]:
                    session["user_remember_me"] = True
        is_new = bool(secret) and secret not in held and session.get("user_remember_me")
        response = get_response(request)
        if session.modified and _is_late(request, held[0]):
            session.modified = False
        if REMEMBER_ME not in response.cookies:
            if not secret and REMEMBER_ME in request.COOKIES:
                _forget(response)
            elif is_new:
                _remember(response, secret)
        return response

    return middleware


def _first_alive(held: tuple[str, ...]) -> tuple[str, Login | None]:
    """Return the secret that is good from now on, and the login it stands for."""
    for secret in filter(None, held):
        login = tokens.find_login(secret)
        if login is None:
            continue
        new = None
        if login.is_due(now()):
            # When they authenticated stays as it was: this is no new proof.
            new = tokens.replace_session_token(login, secret, login.authenticated_at)
        return new or secret, login
    return "", None


def _is_late(request: HttpRequest, held: str) -> bool:
    """Return whether an answer would bring back a secret that has been replaced meanwhile.

    The browser may have the new one already, from an answer to another tab. To keep that, the
    session stays as it is there, and a notice of the late answer is not shown.
    """
    if not held or _secret(request) != held:
        return False
    login = tokens.find_login(held)
    return login is not None and login.replaced_at is not None


def _fill(request: HttpRequest, secret: str, user_id: int) -> None:
    request.session["user_token"] = secret
    # Only for the goodbye notice. The token alone decides who is logged in.
    request.session["user_id"] = user_id
    request.session["live_socket_id"] = f"users_sessions:{hash_secret(secret).hex()}"


def _secret(request: HttpRequest) -> str:
    return str(request.session.get("user_token") or "")


def _renew(request: HttpRequest) -> None:
    """Begin a session of its own, with a secret of its own for the forms."""
    request.session.flush()
    rotate_token(request)


def _cookie(request: HttpRequest) -> str:
    found = request.get_signed_cookie(REMEMBER_ME, "", salt="remember me", max_age=MAX_AGE)
    return found or ""


def _remember(response: HttpResponse, secret: str) -> None:
    response.set_signed_cookie(
        REMEMBER_ME, secret, salt="remember me", max_age=MAX_AGE, **_attributes()
    )


def _forget(response: HttpResponse) -> None:
    """Delete the remember-me cookie, with the attributes it was set with."""
    response.set_cookie(REMEMBER_ME, "", max_age=0, **_attributes())


def _attributes() -> dict[str, Any]:
    return {"httponly": True, "samesite": "lax", "secure": not state.settings.dev}
