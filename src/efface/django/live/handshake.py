"""The handshake of a live socket, as Django's machinery reads requests."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.conf import settings as django_settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.module_loading import import_string

_AS_HTTP = {"ws": "http", "wss": "https"}
_TOKEN = "_csrf_token"  # noqa: S105  (the name of a field)


class _Check(CsrfViewMiddleware):
    """Django's check, which returns the reason against a request instead of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:  # noqa: ARG002  (Django's name)
        return reason


class Handshake:
    """How a page has opened its socket: address, headers and cookies, of that moment.

    The token stands in the address as ``_csrf_token``, since a page can send nothing else with a
    handshake. Servers log the address when they answer, so it is taken out of *scope*.
    """

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self._token = dict(query).get(_TOKEN, "")
        others = [(name, value) for name, value in query if name != _TOKEN]
        scope["query_string"] = urlencode(others).encode("ascii")
        self._scope: Mapping[str, Any] = {
            **scope,
            "type": "http",
            "method": "GET",
            "scheme": _AS_HTTP.get(scope.get("scheme", "ws"), "http"),
        }

    def request(self) -> HttpRequest:
        """Return a request with what the handshake had, and its session as it is now."""
        request = ASGIRequest(self._scope, BytesIO())
        sessions = _installed(SessionMiddleware)
        if sessions is not None:
            sessions(_nothing).process_request(request)
        return request

    def is_genuine(self) -> bool:
        """Tell whether a page of ours, of this very session, has sent it."""
        request = self.request()
        # A browser always names its origin here, so silence is no excuse.
        if "HTTP_ORIGIN" not in request.META:
            return False
        request.method = "POST"
        request.META[django_settings.CSRF_HEADER_NAME] = self._token
        check = _Check(_nothing)
        check.process_request(request)
        return check.process_view(request, None, (), {}) is None

    def language(self) -> str:
        """Return the code of the language in which a page is answered that sends this."""
        if _installed(LocaleMiddleware) is None:
            return str(django_settings.LANGUAGE_CODE)
        return str(translation.get_language_from_request(self.request()))


def _installed(kind: type[Any]) -> Any:
    """Return the project's middleware of this *kind*, or None."""
    named = map(import_string, django_settings.MIDDLEWARE)
    return next((each for each in named if isinstance(each, type) and issubclass(each, kind)), None)


def _nothing(_: HttpRequest) -> HttpResponse:
    return HttpResponse()
