"""Who is logged in behind a request, as the database says now."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from efface.django import settings


def recognized(request: HttpRequest) -> Any:
    """Return whoever is logged in behind *request*, and put them there as ``request.user``.

    The project's IDENTIFY says who it is. Without one it is whom Django's middleware has found, or
    where that has not been, whose session it is.
    """
    own = settings.page_settings().identify
    if own is not None:
        request.user = _open_account(own(request)) or AnonymousUser()
    elif not hasattr(request, "user"):
        has_session = hasattr(request, "session")
        request.user = get_user(request) if has_session else AnonymousUser()
    return request.user


def is_still_logged_in(request: HttpRequest) -> bool:
    """Ask anew whether ``request.user`` is logged in."""
    user, own = request.user, settings.page_settings().identify
    if own is not None:
        return bool(_as_key(own(request)) == user.pk)
    if SESSION_KEY in getattr(request, "session", {}):
        return bool(get_user(request).pk == user.pk)
    return _open_account(user.pk) is not None


def _open_account(key: Any) -> Any:
    # Closed accounts are hidden here as everywhere.
    return get_user_model()._base_manager.filter(pk=key).first() if key is not None else None


def _as_key(key: Any) -> Any:
    return get_user_model()._meta.pk.to_python(key) if key is not None else None
