"""Note in each session when its user logged in, for users without a password.

Django's own ``last_login`` doesn't help, because it may be the login of another device.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from efface.django import settings

LOGGED_IN_AT = "_efface_logged_in_at"


def follow_logins() -> None:
    """From now on, note in each session when its user logged in."""
    user_logged_in.connect(_note, dispatch_uid="efface.django.page.recent_logins")


def _note(request: HttpRequest | None = None, **_: Any) -> None:
    session = getattr(request, "session", None)
    if session is not None:
        session[LOGGED_IN_AT] = settings.efface_settings().clock().timestamp()


def is_recent(request: HttpRequest) -> bool:
    """Tell whether the user logged in a short while ago, in the session of *request*."""
    own: Any = settings.page_settings().has_recent_login
    if own is not None:
        return own(request) is True
    now = settings.efface_settings().clock().timestamp()
    longest = settings.page_settings().recent_login.total_seconds()
    noted = [getattr(request, "session", {}).get(LOGGED_IN_AT), *_confirmed(request)]
    return any(isinstance(at, float) and 0 <= now - at <= longest for at in noted)


def _confirmed(request: HttpRequest) -> list[Any]:
    """Return when the user proved their identity to allauth in this session."""
    if not apps.is_installed("allauth.account"):
        return []
    from allauth.account.authentication import (  # noqa: PLC0415  # only where it is installed
        get_authentication_records,
    )

    records = get_authentication_records(request, request.user)
    return [record.get("at") for record in records if record.get("reauthenticated")]
