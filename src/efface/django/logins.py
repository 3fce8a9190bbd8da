"""When somebody logged in: kept in their session, asked where an account has no password.

The date that Django keeps beside the user is of no use here: it may be another device's.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from efface.django import settings

LOGGED_IN_AT = "_efface_logged_in_at"


def follow_logins() -> None:
    """Note in each session from now on when it was logged in."""
    user_logged_in.connect(_note, dispatch_uid="efface.django.logins")


def _note(request: HttpRequest | None = None, **_: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None:
        session[LOGGED_IN_AT] = settings.found().clock().timestamp()


def is_recent(request: HttpRequest) -> bool:
    """Tell whether whoever sent *request* logged in a short while ago, in this session."""
    own: Any = settings.page().has_recent_log_in
    if own is not None:
        return own(request) is True
    session = getattr(request, "session", {})
    noted = session.get(LOGGED_IN_AT)
    if not isinstance(noted, float):
        return False
    age = settings.found().clock().timestamp() - noted
    return 0 <= age <= settings.page().recent_login.total_seconds()
