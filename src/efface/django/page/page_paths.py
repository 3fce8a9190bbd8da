"""Find the paths of the page, and those to which it leads."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from efface.django import settings
from efface.errors import SettingsError
from efface.page.attempt_outcome import AttemptResult
from efface.page.local_paths import is_local_path


@dataclass(frozen=True)
class Paths:
    """The paths that the pages link to.

    Attributes:
        path: The page itself.
        login: The login page, which leads back to the page.
        plain_login: The login page alone.
        start: The home page.
        redirect: The project's own page after a closure, or None.
        live: The WebSocket, or None.
        logout: The route by which the script ends the session.
    """

    path: str
    login: str
    plain_login: str
    start: str
    redirect: str | None
    live: str | None = None
    logout: str | None = None

    @property
    def public(self) -> str:
        """Return where a page goes when its session has ended."""
        return self.redirect or self.start

    @property
    def script(self) -> str:
        """Return the path of the script."""
        return f"{self.path.rstrip('/')}/efface.js"

    @property
    def style(self) -> str:
        """Return the path of the style sheet."""
        return f"{self.path.rstrip('/')}/efface.css"

    def after(self, answer: AttemptResult) -> str | None:
        """Return the path of the goodbye page, or None if the project has its own page."""
        if self.redirect is not None or answer.receipt is None:
            return None
        return self.goodbye(answer.receipt.reference)

    def goodbye(self, reference: str) -> str:
        """Return the path of the goodbye page for a confirmation number."""
        return f"{self.path.rstrip('/')}/done?{urlencode({'reference': reference})}"


def paths_of(request: HttpRequest) -> Paths:
    """Return the paths of the page that *request* is about.

    Raises:
        SettingsError: As `login_path` and `own_page`.
    """
    match = request.resolver_match
    here = match.namespace if match and "efface" in match.app_names else None
    path = reverse("efface:close", current_app=here)
    plain_login = login_path()
    login = f"{plain_login}?{urlencode({'next': path})}"
    said, start = settings.page_settings(), get_script_prefix()
    redirect = own_page(said.redirect_path)
    live = None if said.live is None else start.rstrip("/") + said.live.path
    return Paths(path, login, plain_login, redirect or start, redirect, live, said.logout_path)


def is_included() -> bool:
    """Tell whether this project includes the routes of the page."""
    if getattr(django_settings, "ROOT_URLCONF", None) is None:
        return False
    try:
        reverse("efface:close")
    except NoReverseMatch:
        return False
    return True


def login_path() -> str:
    """Return the path of the login page.

    Raises:
        SettingsError: LOGIN_URL names a route that doesn't exist.
    """
    try:
        return str(resolve_url(django_settings.LOGIN_URL))
    except NoReverseMatch:
        raise SettingsError(
            "LOGIN_URL is not the name of a route without arguments. "
            'Name an existing route or a path: LOGIN_URL = "/log_in"'
        ) from None


def own_page(name: str | None) -> str | None:
    """Return the path of the project's own page after a closure, *name* in REDIRECT_PATH.

    Raises:
        SettingsError: REDIRECT_PATH names a route that doesn't exist.
    """
    if name is None:
        return None
    try:
        return str(resolve_url(name))
    except NoReverseMatch:
        raise SettingsError(
            f"EFFACE names {name} in REDIRECT_PATH, which is not a route without arguments. "
            'Name an existing route or a path: "REDIRECT_PATH": "/goodbye"'
        ) from None


def way_back(request: HttpRequest) -> str:
    """Return the path of the page of this site that sent *request*, or the home page."""
    referer: str = request.headers.get("referer", "")
    here, start = {request.get_host()}, str(get_script_prefix())
    if not url_has_allowed_host_and_scheme(referer, here, require_https=request.is_secure()):
        return start
    path = urlsplit(referer).path
    return path if is_local_path(path) else start
