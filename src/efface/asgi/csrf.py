"""HOST · CSRF protection bound to the session; useful without the rest of Efface.

One secret per session, created when a page first asks for a token. Each rendering is
masked differently, so that a compressed page does not give the secret away; every
rendering stays good as long as the secret does.

    app.add_middleware(CSRFMiddleware)
    app.add_middleware(SessionMiddleware, secret_key=...)   # added later: it runs first
    templates.env.globals["csrf_token"] = csrf_token
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
from efface.asgi.negotiated_language import chosen
from efface.asgi.request_origin import admits, comes_from_here, own_origin, parse_origin
from efface.page.csrf_refusal import STALE, for_people, for_scripts, headers_in, is_script
from efface.page.local_paths import is_local_path
from efface.page.translations import Language, translatable

FIELD = "_csrf_token"
HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

TOO_LARGE = translatable("This form is too large to be read. Nothing was changed.")

_SESSION_KEY = "_csrf_secret"
_SECRET_BYTES = 18


def csrf_token(
    connection: HTTPConnection, *, randomness: Callable[[int], bytes] = secrets.token_bytes
) -> str:
    """Return a token for a form, a header or a meta tag, different at each call.

    The first call in a session creates the session's secret.
    """
    session = session_of(connection.scope)
    secret = _secret_in(session)
    if secret is None:
        secret = randomness(_SECRET_BYTES)
        session[_SESSION_KEY] = urlsafe_b64encode(secret).decode()
    mask = randomness(_SECRET_BYTES)
    return urlsafe_b64encode(mask + _xor(mask, secret)).decode()


def rotate(connection: HTTPConnection) -> None:
    """Drop the session's secret: every page rendered before is stale from here.

    Call it where another person takes over the session: at log-in and at log-out.
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
    """Tell whether a request was sent by a page of ours, of this very session.

    The token may stand in the form or in the header. A token in the address does not
    count: addresses end up in logs, bookmarks and the next site's Referer.
    """
    if not admits(connection, trusted):
        return False
    session = session_of(connection.scope)
    return token_matches(session, fields.get(FIELD)) or token_matches(
        session, connection.headers.get(HEADER)
    )


def admits_socket(websocket: WebSocket, trusted: Collection[str] = ()) -> bool:
    """Tell whether the handshake of a socket was sent by a page of ours, of this session.

    The token stands in the address as ``_csrf_token``, since a page can send nothing else
    with a handshake. Servers log the address when they answer, so the token is taken out
    of it here. Call it before `accept`, and close the socket where it says no.
    """
    token = websocket.query_params.get(FIELD)
    others = [(k, v) for k, v in websocket.query_params.multi_items() if k != FIELD]
    websocket.scope["query_string"] = urlencode(others).encode("ascii")
    # A browser always names its origin here, so silence is no excuse.
    if not comes_from_here(websocket, trusted):
        return False
    return token_matches(session_of(websocket.scope), token)


def session_of(scope: Scope) -> MutableMapping[str, Any]:
    """Return the session a middleware outside of us has opened.

    Raises:
        RuntimeError: There is none; the message says which line is missing.
    """
    if "session" not in scope:
        raise RuntimeError(
            "There is no session to keep the CSRF secret in. "
            "Call app.add_middleware(SessionMiddleware, ...) after "
            "app.add_middleware(CSRFMiddleware): the one added last runs first."
        )
    # Through the connection, which notes that the answer depends on the cookie.
    return HTTPConnection(scope).session


def nobody(_: HTTPConnection) -> bool:
    """Exempt no request."""
    return False


class CSRFMiddleware:
    """Refuse every unsafe request that no page of this session has sent.

    A refusal changes nothing, the session included: whoever was signed in still is.

    Args:
        exempt: Returns True for a request whose person you know from something that no
            browser sends by itself, such as a bearer token that you have found right. Never
            decide by what is missing (a cookie, an origin): that is the sender's to leave out.
        trusted_origins: Other sites whose pages may send here, such as
            ``"https://www.example.org"``; also this site's own address where a proxy
            does not pass on the scheme.
        largest_form: Bytes of a form that are read in search of the field. A larger
            one needs the header.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_origins: Collection[str] = (),
        largest_form: int = forms.LARGEST,
        exempt: Callable[[HTTPConnection], bool] = nobody,
    ) -> None:
        self._exempt = exempt
        self._app = app
        self._trusted = tuple(trusted_origins)
        self._largest = largest_form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a page that says what to do."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        # Header first: then a large upload is never held in memory.
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
    """Return the refusal: a page with a way on for people, JSON for scripts.

    *message* is in English; it is said in *language*, or in the one the browser wishes.
    """
    language = chosen(connection, None) if language is None else language
    headers = headers_in(language)
    if is_script(connection.headers):
        return JSONResponse(for_scripts(message, language), status, headers)
    page = for_people(message, language, _way_back(connection))
    return HTMLResponse(page, status, headers)


def _way_back(connection: HTTPConnection) -> str:
    """Return the path of the page that sent this, so that a GET renders it afresh."""
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
