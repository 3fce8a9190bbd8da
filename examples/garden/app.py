"""The application: `create_app` puts the parts together."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection

from efface.asgi import AccountClosing, ConfirmationEmail, TooManyAttemptsError
from efface.asgi.csrf import CSRFMiddleware, csrf_token
from efface.live.redis import RedisBroker
from garden import notices
from garden.access_log import hide_secrets
from garden.account_closing import labels_in
from garden.accounts import users
from garden.accounts.attempt_limits import AttemptLimits
from garden.accounts.emails import deliver_confirmation_email
from garden.accounts.password_hashing import Passwords
from garden.accounts.sessions import RememberMe, current_login, current_user
from garden.accounts.token_purge import purging
from garden.accounts.token_secrets import REMEMBER_ME, SUDO_TO_SEND
from garden.database import Clock, open_engine, open_sessions, utc_now
from garden.groups import blockers
from garden.live_plots import Picked, listen
from garden.mailer import Mailbox, Mailer
from garden.middleware import SecurityHeaders
from garden.plots import pick_plot
from garden.routes import (
    account_settings,
    developer_pages,
    email_confirmation,
    groups,
    home,
    login,
    password_reset,
    registration,
)
from garden.security_headers import PAGE_HEADERS, SECURITY_HEADERS
from garden.site_settings import Settings
from garden.web import HERE, RedirectError, csrf_field, redirect

LAST_RESORT = {**SECURITY_HEADERS, **PAGE_HEADERS}
PAGES = (home, registration, email_confirmation, login, password_reset, account_settings, groups)


EmailSender = Callable[[ConfirmationEmail], None]


def create_app(
    site: Settings | None = None,
    *,
    mailer: Mailer | None = None,
    hasher: Passwords | None = None,
    clock: Clock = utc_now,
) -> FastAPI:
    """Return the application; its tables must exist (`alembic upgrade head`).

    Without *site* it reads the settings from the environment.
    """
    site = site or Settings.from_environment()
    hide_secrets()
    app = FastAPI(
        redirect_slashes=False, docs_url=None, redoc_url=None, openapi_url=None, lifespan=purging
    )
    engine = open_engine(site.database_url)
    app.state.settings = site
    app.state.engine = engine
    app.state.mailer = mailer or Mailbox(clock)
    app.state.sessions = open_sessions(
        engine, secret=site.efface_secret, passwords=hasher, clock=clock
    )
    app.state.attempt_limits = AttemptLimits(site, clock)
    app.state.closing = closing = account_closing(app)
    app.state.templates = templates = Jinja2Templates(HERE / "templates")
    templates.env.globals["csrf_token"] = csrf_token
    templates.env.globals["csrf_field"] = csrf_field
    templates.env.globals["is_magic"] = site.profile == "magic"
    templates.env.globals["account_closing"] = closing.render

    for part in PAGES:
        app.include_router(part.router)
    if site.dev:
        app.include_router(developer_pages.router)
    closing.install(app, "/users/settings/close")
    listen(closing.live, picking(app.state.sessions))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    # The one added last runs first.
    app.add_middleware(RememberMe, sessions=app.state.sessions, settings=site)
    app.add_middleware(CSRFMiddleware)
    app.add_middleware(
        SessionMiddleware, secret_key=site.secret, max_age=None, https_only=not site.dev
    )
    app.add_middleware(SecurityHeaders)
    add_error_pages(app)
    return app


def account_closing(app: FastAPI) -> AccountClosing:
    """Return the part of Efface that closes accounts over HTTP and the WebSocket."""
    site, sessions = app.state.settings, app.state.sessions

    def current_user_id(connection: HTTPConnection) -> int | None:
        with sessions() as session:
            user = current_user(connection, session)
            return user.id if user else None

    def has_password(session: Session, user_id: int) -> bool:
        return users.has_password(session, user_id)

    def check_password(session: Session, user_id: int, password: str) -> bool:
        limits: AttemptLimits = app.state.attempt_limits
        seconds = limits.seconds_to_wait("password", site.limits.password, account=str(user_id))
        if seconds is not None:
            raise TooManyAttemptsError(seconds)
        return users.check_password(session, users.get_user(session, user_id), password)

    def has_recent_login(connection: HTTPConnection) -> bool:
        with sessions() as session:
            login = current_login(connection, session)
            now = session.info["clock"]()
            return login is not None and login.authenticated_within(SUDO_TO_SEND, now)

    def confirmation_email(session: Session, user_id: int) -> EmailSender | None:
        user = users.get_user(session, user_id)
        if user is None:
            return None
        email, mailer = user.email, app.state.mailer
        return lambda text: deliver_confirmation_email(mailer, email, text, site.url)

    return AccountClosing(
        sessions.kw["info"]["eraser"],
        session_factory=sessions,
        identify=current_user_id,
        check_password=check_password,
        has_password=has_password,
        has_recent_login=has_recent_login,
        logout_path="/users/log_out",
        redirect_path="/",
        clear_cookies=(REMEMBER_ME,),
        labels=labels_in,
        templates=HERE / "templates" / "account_closing",
        blockers=blockers,
        confirmation_email=confirmation_email,
        login_path="/users/log_in",
        broker=RedisBroker(site.redis_url, secret=site.live_secret) if site.redis_url else None,
    )


def picking(sessions: sessionmaker[Session]) -> Callable[[int, str], Awaitable[Picked | None]]:
    """Return a function that picks a plot for a page in its own transaction."""

    def pick(user_id: int, label: str) -> Picked | None:
        with sessions.begin() as session:
            return pick_plot(session, user_id, label)

    return lambda user_id, label: run_in_threadpool(pick, user_id, label)


def add_error_pages(app: FastAPI) -> None:
    """Answer every error with a page for people and with JSON for scripts."""

    def redirected(request: Request, error: RedirectError) -> Response:
        return redirect(request, error.to, **error.flash)

    def refused(request: Request, error: HTTPException) -> Response:
        return error_page(request, error.status_code, error.headers)

    app.add_exception_handler(RedirectError, redirected)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, refused)  # type: ignore[arg-type]
    for error, status in ((NoResultFound, 404), (RequestValidationError, 422), (Exception, 500)):
        app.add_exception_handler(error, _page_with(status))


def error_page(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the page for an error; it needs neither database nor session."""
    phrase = HTTPStatus(status).phrase
    # No middleware adds headers to this page, because the error passed through all of it.
    headers = {
        **(headers or {}),
        **(LAST_RESORT if status == HTTPStatus.INTERNAL_SERVER_ERROR else {}),
    }
    if "text/html" not in request.headers.get("accept", "text/html") and (
        "application/json" in request.headers.get("accept", "")
    ):
        return JSONResponse({"error": phrase}, status, headers)
    context = {"status": status, "phrase": phrase, "what": notices.WENT_WRONG.get(status, phrase)}
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, "error.html", context, status, headers)


def _page_with(status: int) -> Callable[[Request, Exception], Response]:
    return lambda request, _error: error_page(request, status)
