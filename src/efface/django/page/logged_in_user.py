"""Find out which user is logged in, as the database says now."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.middleware.csrf import CSRF_SESSION_KEY

from efface.django import settings
from efface.django.page.recent_logins import LOGGED_IN_AT
from efface.page.ended_sessions import FORM_SHOWN, has_data_of_the_site


def find_logged_in_user(request: HttpRequest) -> Any:
    """Return the logged-in user, and set it as ``request.user``.

    The project's IDENTIFY decides. Without it, Django's middleware does, or the session if the
    middleware has not run.
    """
    own = settings.page_settings().identify
    if own is not None:
        request.user = _open_account(own(request)) or AnonymousUser()
    elif not hasattr(request, "user"):
        has_session = hasattr(request, "session")
        request.user = get_user(request) if has_session else AnonymousUser()
    return request.user


def is_still_logged_in(request: HttpRequest) -> bool:
    """Ask again whether ``request.user`` is logged in."""
    user, own = request.user, settings.page_settings().identify
    if own is not None:
        return bool(_as_key(own(request)) == user.pk)
    if SESSION_KEY in getattr(request, "session", {}):
        return bool(get_user(request).pk == user.pk)
    return _open_account(user.pk) is not None


def _open_account(key: Any) -> Any:
    # Closed accounts are hidden, as in all queries of these managers.
    return get_user_model()._base_manager.filter(pk=key).first() if key is not None else None


def _as_key(key: Any) -> Any:
    return get_user_model()._meta.pk.to_python(key) if key is not None else None


def note_form_shown(request: HttpRequest) -> None:
    """Note in the session that a logged-in user saw the form.

    Django's own sessions name their user anyway. Those of a project with IDENTIFY need the note.
    """
    session: Any = getattr(request, "session", None)
    if session is not None and SESSION_KEY not in session and FORM_SHOWN not in session:
        session[FORM_SHOWN] = True


def has_ended_session(request: HttpRequest) -> bool:
    """Tell whether *request* comes from a session whose user has been logged out."""
    session: Any = getattr(request, "session", None)
    if session is None:
        return False
    if SESSION_KEY in session or FORM_SHOWN in session:
        return True
    # The database's sessions of a closed account are gone, and the browser still names one.
    return django_settings.SESSION_COOKIE_NAME in request.COOKIES and session.is_empty()


def may_have_return_path(request: HttpRequest) -> bool:
    """Tell whether the session has data of the project, such as a path to return to."""
    session: Any = getattr(request, "session", {})
    return has_data_of_the_site(session.keys(), (LOGGED_IN_AT, CSRF_SESSION_KEY))
