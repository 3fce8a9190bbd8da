"""Who is logged in: the session cookie, the remember-me cookie, and the token both of them hold.

The token's row in the database is the truth. When it is gone, the cookies are worth nothing, and
the next answer cleans them up.
"""

from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from garden.accounts import tokens
from garden.models import User
from garden.settings import Settings

REMEMBER_ME = "_garden_user_remember_me"
MAX_AGE = int(tokens.VALID_FOR[tokens.SESSION].total_seconds())


def log_in(
    request: Request,
    session: Session,
    user: User,
    *,
    remember_me: bool = False,
    to: str | None = None,
    info: str | None = None,
) -> RedirectResponse:
    """Log *user* in and lead them to where they wanted to go.

    Nothing of the session before survives: whoever planted or read it holds nothing now.
    """
    secret = tokens.generate_user_session_token(session, user)
    session.commit()
    to = to or request.session.get("user_return_to") or "/"
    remember_me = remember_me or request.session.get("user_remember_me", False)
    _renew(request)
    _fill(request, secret, user.id)
    if info:
        request.session["flash"] = {"info": info}
    response = RedirectResponse(to, 303)
    if remember_me:
        request.session["user_remember_me"] = True
        settings: Settings = request.app.state.settings
        value = _signer(settings).sign(secret).decode()
        response.set_cookie(
            REMEMBER_ME,
            value,
            max_age=MAX_AGE,
            httponly=True,
            samesite="lax",
            secure=not settings.dev,
        )
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
    secret = connection.session.get("user_token")
    return tokens.get_user_by_session_token(session, secret) if secret else None


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
        held = (request.session.get("user_token"), self._cookie(request))
        alive = await run_in_threadpool(self._first_alive, held) if any(held) else None
        if alive is None:
            request.state.ended_user_id = request.session.get("user_id")
            for name in ("user_token", "user_id", "live_socket_id", "user_remember_me"):
                request.session.pop(name, None)
        elif alive[0] != held[0]:
            _fill(request, *alive)
            request.session["user_remember_me"] = True

        async def send_clean(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                ours = f"{REMEMBER_ME}="
                if not any(line.startswith(ours) for line in headers.getlist("set-cookie")):
                    gone = Response()
                    forget_cookie(gone, self._settings)
                    headers.append("set-cookie", gone.headers["set-cookie"])
            await send(message)

        is_dead = alive is None and REMEMBER_ME in request.cookies
        await self.app(scope, receive, send_clean if is_dead else send)

    def _cookie(self, request: Request) -> str | None:
        try:
            value = request.cookies.get(REMEMBER_ME, "")
            return _signer(self._settings).unsign(value, max_age=MAX_AGE).decode()
        except BadSignature:
            return None

    def _first_alive(self, held: tuple[str | None, ...]) -> tuple[str, int] | None:
        with self._sessions() as session:
            for secret in filter(None, held):
                user = tokens.get_user_by_session_token(session, secret)
                if user is not None:
                    return secret, user.id
        return None


def _fill(request: Request, secret: str, user_id: int) -> None:
    request.session["user_token"] = secret
    # Only for the farewell: who is logged in, the token alone decides.
    request.session["user_id"] = user_id
    request.session["live_socket_id"] = f"users_sessions:{tokens.hash_secret(secret).hex()}"


def _renew(request: Request) -> None:
    # The CSRF secret goes with the rest. Who keeps a part of the session has to call
    # `efface.asgi.csrf.rotate`.
    request.session.clear()


def _signer(settings: Settings) -> TimestampSigner:
    return TimestampSigner(settings.secret, salt="remember me")
