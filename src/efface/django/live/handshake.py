"""Make requests from the handshake of a WebSocket, for Django's sessions and CSRF check."""

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
    """Django's CSRF check. It returns the reason for a refusal instead of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:  # noqa: ARG002  (Django's name)
        return reason


class Handshake:
    """The address, headers and cookies with which a page opened its WebSocket.

    The CSRF token is in the address as ``_csrf_token``, because a page can't add a header to a
    handshake. Servers log the address, so this class removes the token from *scope*.
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
        """Return a request with the data of the handshake, and its session as it is now."""
        request = ASGIRequest(self._scope, BytesIO())
        sessions = _installed(SessionMiddleware)
        if sessions is not None:
            sessions(_nothing).process_request(request)
        return request

    def is_genuine(self) -> bool:
        """Return whether a page of this site, in this session, sent the handshake."""
        request = self.request()
        # A browser always sends the origin with a handshake.
        if "HTTP_ORIGIN" not in request.META:
            return False
        request.method = "POST"
        request.META[django_settings.CSRF_HEADER_NAME] = self._token
        check = _Check(_nothing)
        check.process_request(request)
        return check.process_view(request, None, (), {}) is None

    def language(self) -> str:
        """Return the code of the language that this user gets."""
        if _installed(LocaleMiddleware) is None:
            return str(django_settings.LANGUAGE_CODE)
        return str(translation.get_language_from_request(self.request()))


def _installed(kind: type[Any]) -> Any:
    """Return the project's middleware of this *kind*, or None."""
    named = map(import_string, django_settings.MIDDLEWARE)
    return next((each for each in named if isinstance(each, type) and issubclass(each, kind)), None)


def _nothing(_: HttpRequest) -> HttpResponse:
    return HttpResponse()
