"""Protect forms and sockets against CSRF, with or without the rest of Efface.

Each session has one secret, created when a page first needs a token. Each token is masked
differently, so a compressed page doesn't reveal the secret. All tokens of a session are valid as
long as its secret is.

Example:
    Add the session middleware last, because the one you add last runs first::

        app.add_middleware(CSRFMiddleware)
        app.add_middleware(SessionMiddleware, secret_key=...)
        templates.env.globals["csrf_token"] = csrf_token

    Then each form has a hidden field ``_csrf_token`` with ``{{ csrf_token(request) }}``.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from efface.asgi import form_reader as forms
from efface.asgi.negotiated_language import choose_language
from efface.asgi.request_origin import admits, comes_from_here, own_origin, parse_origin
from efface.page.csrf_refusal import (
    STALE,
    TOO_LARGE,
    is_script,
    refusal_as_json,
    refusal_headers,
    refusal_page,
)
from efface.page.local_paths import is_local_path
from efface.page.translations import Language

FIELD = "_csrf_token"
HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_SESSION_KEY = "_csrf_secret"
SESSION_KEYS = (_SESSION_KEY,)
_SECRET_BYTES = 18


def csrf_token(
    connection: HTTPConnection, *, randomness: Callable[[int], bytes] = secrets.token_bytes
) -> str:
    """Return a token for a form, a header or a meta tag; each call returns a different one.

    Put it in the form field ``_csrf_token`` or send it in the header ``X-CSRF-Token``. The first
    call in a session stores the session's secret under ``_csrf_secret``.

    Args:
        connection: The request whose session the token belongs to.
        randomness: Returns that many random bytes.

    Raises:
        RuntimeError: The request has no session.
    """
    session = session_of(connection.scope)
    secret = _secret_in(session)
    if secret is None:
        secret = randomness(_SECRET_BYTES)
        session[_SESSION_KEY] = urlsafe_b64encode(secret).decode()
    mask = randomness(_SECRET_BYTES)
    return urlsafe_b64encode(mask + _xor(mask, secret)).decode()


def rotate(connection: HTTPConnection) -> None:
    """Drop the session's secret, so that all tokens handed out before are invalid.

    Call it when another user takes over the session, which is at each login and logout.

    Raises:
        RuntimeError: The request has no session.
    """
    session_of(connection.scope).pop(_SESSION_KEY, None)


def token_matches(session: Mapping[str, Any], token: object) -> bool:
    """Tell whether *token* was made from the secret of this session."""
    secret = _secret_in(session)
    masked = _decode(token, 2 * _SECRET_BYTES)
    if secret is None or masked is None:
        return False
    found = _xor(masked[:_SECRET_BYTES], masked[_SECRET_BYTES:])
    return hmac.compare_digest(found, secret)


def is_genuine(
    connection: HTTPConnection, fields: Mapping[str, str], trusted: Collection[str] = ()
) -> bool:
    """Tell whether one of this session's own pages sent the request.

    The token may be in the form or in the header. A token in the URL doesn't count, because URLs
    end up in logs, in bookmarks and in the Referer of the next site.
    """
    if not admits(connection, trusted):
        return False
    session = session_of(connection.scope)
    return token_matches(session, fields.get(FIELD)) or token_matches(
        session, connection.headers.get(HEADER)
    )


def admits_socket(websocket: WebSocket, trusted: Collection[str] = ()) -> bool:
    """Tell whether one of this session's own pages opened the WebSocket.

    Call it before `accept`, and close the socket if it returns False. It takes the token from the
    query parameter ``_csrf_token``, because a page can send nothing else with a handshake, and
    removes it from ``websocket.scope``, because servers log the URL when they answer.

    Args:
        websocket: The WebSocket, before it is accepted.
        trusted: Other sites whose pages may connect, such as ``"https://www.example.org"``.

    Raises:
        RuntimeError: The handshake has no session.
    """
    token = websocket.query_params.get(FIELD)
    others = [(k, v) for k, v in websocket.query_params.multi_items() if k != FIELD]
    websocket.scope["query_string"] = urlencode(others).encode("ascii")
    # Browsers always send an origin with a handshake, so we refuse one without it.
    if not comes_from_here(websocket, trusted):
        return False
    return token_matches(session_of(websocket.scope), token)


def session_of(scope: Scope) -> MutableMapping[str, Any]:
    """Return the session that another middleware has opened.

    Raises:
        RuntimeError: There is none. The message says which line is missing.
    """
    if "session" not in scope:
        raise RuntimeError(
            "This request has no session, and the CSRF secret is kept in the session. "
            "Call app.add_middleware(SessionMiddleware, ...) after "
            "app.add_middleware(CSRFMiddleware), because the one you add last runs first."
        )
    # Through the connection, which records that the response depends on the cookie.
    return HTTPConnection(scope).session


def exempt_none(_: HTTPConnection) -> bool:
    """Exempt no request."""
    return False


class CSRFMiddleware:
    """Refuse every unsafe request that was not sent by a page of the same session.

    Requests with GET, HEAD, OPTIONS and TRACE pass. All others need a token from `csrf_token`, and
    the origin of this site or a trusted one, if they name an origin. Others get status 403, as a
    page or as JSON for scripts. A refusal changes nothing, not even the session.

    Args:
        app: The next application.
        trusted_origins: Other sites whose pages may send requests, such as
            ``"https://www.example.org"``. Add the address of this site if a proxy doesn't pass on
            the scheme.
        largest_form: How many bytes of a form to read in search of the field. A larger form needs
            the header, or gets status 413.
        exempt: Takes the connection and returns True for a request that doesn't need a token,
            because you have verified something that browsers don't send by themselves, such as a
            bearer token. Never decide by what is missing, such as a cookie or an origin, because
            the sender can leave it out.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_origins: Collection[str] = (),
        largest_form: int = forms.LARGEST,
        exempt: Callable[[HTTPConnection], bool] = exempt_none,
    ) -> None:
        self._exempt = exempt
        self._app = app
        self._trusted = tuple(trusted_origins)
        self._largest = largest_form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with a page that says what to do."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        # The header first, so that a large upload never has to fit in memory.
        if is_genuine(connection, {}, self._trusted) or self._exempt(connection) is True:
            await self._app(scope, receive, send)
            return
        content_type = connection.headers.get("content-type", "")
        if forms.kind_of(content_type) not in (forms.URLENCODED, forms.MULTIPART):
            await refusal(connection)(scope, receive, send)
            return
        try:
            body = await forms.read_body(receive, self._largest)
        except forms.DisconnectedError:
            return
        except forms.FormTooLargeError:
            await refusal(connection, 413, TOO_LARGE)(scope, receive, send)
            return
        if is_genuine(connection, forms.read_fields(content_type, body), self._trusted):
            await self._app(scope, forms.replay(body, receive), send)
        else:
            await refusal(connection)(scope, receive, send)


def refusal(
    connection: HTTPConnection,
    status: int = 403,
    message: str = STALE,
    language: Language | None = None,
) -> Response:
    """Return the refusal, as a page with a way back or as JSON for scripts.

    Args:
        connection: The request.
        status: The HTTP status.
        message: The sentence, in English. It is translated.
        language: The language. By default the one that the browser prefers.
    """
    language = choose_language(connection, None) if language is None else language
    headers = refusal_headers(language)
    if is_script(connection.headers):
        return JSONResponse(refusal_as_json(message, language), status, headers)
    page = refusal_page(message, language, _way_back(connection))
    return HTMLResponse(page, status, headers)


def _way_back(connection: HTTPConnection) -> str:
    """Return the path of the page that sent this, so that a GET renders it again."""
    referer = connection.headers.get("referer", "")
    origin = parse_origin(referer)
    if origin is None or origin != own_origin(connection):
        return "/"
    path = urlsplit(referer).path
    return path if is_local_path(path) else "/"


def _secret_in(session: Mapping[str, Any]) -> bytes | None:
    return _decode(session.get(_SESSION_KEY), _SECRET_BYTES)


def _decode(text: object, length: int) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        value = b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == length else None


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
