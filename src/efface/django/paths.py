"""Where the closing page is in this project, and where one goes from it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import get_script_prefix, reverse

from efface.django import settings


@dataclass(frozen=True)
class Paths:
    """Paths for the pages; ``redirect`` is the project's own page after a closing, or None."""

    path: str
    log_in: str
    start: str
    redirect: str | None

    @property
    def style(self) -> str:
        """Return where the style sheet is."""
        return f"{self.path.rstrip('/')}/efface.css"

    def farewell(self, reference: str) -> str:
        """Return where the farewell of one closing is read."""
        return f"{self.path.rstrip('/')}/done?{urlencode({'reference': reference})}"


def paths_of(request: HttpRequest) -> Paths:
    """Return the paths of the page that *request* is about."""
    match = request.resolver_match
    here = match.namespace if match and "efface" in match.app_names else None
    path = reverse("efface:close", current_app=here)
    log_in = f"{resolve_url(django_settings.LOGIN_URL)}?{urlencode({'next': path})}"
    said = settings.page().redirect_url
    redirect = None if said is None else resolve_url(said)
    return Paths(path, log_in, redirect or get_script_prefix(), redirect)
