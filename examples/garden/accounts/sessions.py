"""Who is logged in: the session cookie, the remember-me cookie, and the token both of them hold.

The token's row in the database is the truth. When it is gone, the cookies are worth nothing, and
the next answer cleans them up.
"""

from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from garden import notices
from garden.accounts import tokens
from garden.accounts.token_secrets import MAX_AGE, REMEMBER_ME, Login, hash_secret
from garden.models import User
from garden.site_settings import Settings


def log_in(
    request: Request,
    session: Session,
    user: User,
    *,
    remember_me: bool = False,
    authenticated_at: datetime | None = None,
    to: str | None = None,
    info: str | None = None,
) -> RedirectResponse:
    """Log *user* in, and redirect to the page they wanted.

    The old session ends, because another person may have planted or read it. Only if the same
    user logs in again, their open pages stay connected.
    """
    before = current_login(request, session)
    to = to or request.session.pop("user_return_to", None)
    remember_me = remember_me or request.session.get("user_remember_me", False)
    authenticated_at = authenticated_at or session.info["clock"]()
    secret = None
    if before is not None and before.user.id == user.id:
        to = to or "/users/settings"
        secret = tokens.replace_session_token(session, before, _secret(request), authenticated_at)
    elif before is not None:
        tokens.delete_user_session_token(session, _secret(request))
    if secret is None:
        secret = tokens.generate_user_session_token(session, user, authenticated_at)
        _renew(request)
    session.commit()
    if secret is None:  # the account was closed meanwhile
        request.session["flash"] = {"error": notices.MUST_LOG_IN}
        return RedirectResponse("/users/log_in", 303)
    _fill(request, secret, user.id)
    if info:
        request.session["flash"] = {"info": info}
    response = RedirectResponse(to or "/", 303)
    if remember_me:
        request.session["user_remember_me"] = True
        _remember(response, secret, request.app.state.settings)
    return response


def log_out(request: Request, session: Session, response: Response) -> None:
    """Log this browser out, and no other."""
    secret = request.session.get("user_token")
    if secret:
        tokens.delete_user_session_token(session, secret)
        session.commit()
    _renew(request)
    forget_cookie(response, request.app.state.settings)


def current_user(connection: HTTPConnection, session: Session) -> User | None:
    """Return who is logged in, as the database says at this moment."""
    login = current_login(connection, session)
    return login.user if login else None


def current_login(connection: HTTPConnection, session: Session) -> Login | None:
    """Return the login of a browser, as the database says at this moment.

    A socket has the cookie of its handshake permanently. When the browser has been given another
    token since, the socket is still one of its pages.
    """
    secret = _secret(connection)
    login = tokens.find_login(session, secret) if secret else None
    if connection.scope["type"] == "websocket":
        if login is not None:
            connection.state.browser_id = login.browser_id
        elif browser_id := getattr(connection.state, "browser_id", None):
            return tokens.find_login_of(session, browser_id)
    return login


def forget_cookie(response: Response, settings: Settings) -> None:
    """Delete the remember-me cookie, with the attributes it was set with."""
    response.delete_cookie(REMEMBER_ME, httponly=True, samesite="lax", secure=not settings.dev)


class RememberMe:
    """Middleware: log a browser in from its remember-me cookie, and clean up after dead tokens."""

    def __init__(
        self, app: ASGIApp, *, sessions: sessionmaker[Session], settings: Settings
    ) -> None:
        """Stand inside the session middleware."""
        self.app, self._sessions, self._settings = app, sessions, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bring session and database into agreement before the request is handled."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        held = (_secret(request), self._cookie(request))
        alive = await run_in_threadpool(self._first_alive, held) if any(held) else None
        if alive is None:
            request.state.ended_user_id = request.session.get("user_id")
            for name in ("user_token", "user_id", "live_socket_id", "user_remember_me"):
                request.session.pop(name, None)
        elif alive[0] != held[0]:
            _fill(request, *alive)
            if held[1] is not None:
                request.session["user_remember_me"] = True
        update = self._cookie_after(request, alive[0] if alive else None, held)

        async def send_updated(message: Message) -> None:
            if message["type"] == "http.response.start":
                session = request.session
                if session.modified and await run_in_threadpool(self._is_late, session, held[0]):
                    session.modified = False
                headers = MutableHeaders(raw=message["headers"])
                ours = f"{REMEMBER_ME}="
                is_ours_set = any(each.startswith(ours) for each in headers.getlist("set-cookie"))
                if update and not is_ours_set:
                    headers.append("set-cookie", update)
            await send(message)

        await self.app(scope, receive, send_updated)

    def _is_late(self, session_after: dict[str, Any], held: str) -> bool:
        """Return whether an answer would bring back a secret that has been replaced meanwhile.

        The browser may have the new one already, from an answer to another tab. To keep that,
        the session stays as it is there, and a notice of the late answer is not shown.
        """
        if not held or session_after.get("user_token") != held:
            return False
        with self._sessions() as session:
            login = tokens.find_login(session, held)
            return login is not None and login.replaced_at is not None

    def _cookie_after(
        self, request: Request, alive: str | None, held: tuple[str | None, ...]
    ) -> str:
        """Return the header that brings the remember-me cookie up to date, or nothing."""
        response = Response()
        if alive is None and REMEMBER_ME in request.cookies:
            forget_cookie(response, self._settings)
        elif alive is not None and alive not in held and request.session.get("user_remember_me"):
            _remember(response, alive, self._settings)
        return response.headers.get("set-cookie", "")

    def _cookie(self, request: Request) -> str | None:
        try:
            value = request.cookies.get(REMEMBER_ME, "")
            return _signer(self._settings).unsign(value, max_age=MAX_AGE).decode()
        except BadSignature:
            return None

    def _first_alive(self, held: tuple[str | None, ...]) -> tuple[str, int] | None:
        """Return the secret that is good from now on, and whose it is."""
        with self._sessions() as session:
            for secret in filter(None, held):
                login = tokens.find_login(session, secret)
                if login is None:
                    continue
                new = None
                if login.is_due(session.info["clock"]()):
                    # When they authenticated stays as it was: this is no new proof.
                    proved = login.authenticated_at
                    new = tokens.replace_session_token(session, login, secret, proved)
                    session.commit()
                return new or secret, login.user.id
        return None


def _fill(request: Request, secret: str, user_id: int) -> None:
    request.session["user_token"] = secret
    # Only for the goodbye notice. The token alone decides who is logged in.
    request.session["user_id"] = user_id
    request.session["live_socket_id"] = f"users_sessions:{hash_secret(secret).hex()}"


def _secret(connection: HTTPConnection) -> str:
    return str(connection.session.get("user_token") or "")


def _remember(response: Response, secret: str, settings: Settings) -> None:
    response.set_cookie(
        REMEMBER_ME,
        _signer(settings).sign(secret).decode(),
        max_age=MAX_AGE,
        httponly=True,
        samesite="lax",
        secure=not settings.dev,
    )


def _renew(request: Request) -> None:
    # The CSRF secret goes with the rest. Who keeps a part of the session has to call
    # `efface.asgi.csrf.rotate`.
    request.session.clear()


def _signer(settings: Settings) -> TimestampSigner:
    return TimestampSigner(settings.secret, salt="remember me")
