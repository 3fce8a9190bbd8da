"""The site: everything is put together here, once."""

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
from garden.accounts import users
from garden.accounts.letters import deliver_farewell
from garden.accounts.passwords import Passwords
from garden.accounts.purge import purging
from garden.accounts.secret import REMEMBER_ME, SUDO_TO_SEND
from garden.accounts.sessions import RememberMe, current_log_in, current_user
from garden.accounts.tries import Tries
from garden.beds import pick_plot
from garden.database import Clock, open_engine, open_sessions, utc_now
from garden.groups import blockers
from garden.headers import PAGE_HEADERS, SECURITY_HEADERS
from garden.leaving import words
from garden.mail import Mailbox, Mailer
from garden.middleware import SecurityHeaders
from garden.plots import Picked, listen
from garden.routes import dev, groups, log_in, passwords, registration, settings
from garden.routes import garden as pages
from garden.settings import Settings
from garden.web import HERE, RedirectError, csrf_field, redirect

LAST_RESORT = {**SECURITY_HEADERS, **PAGE_HEADERS}


def create_app(
    site: Settings | None = None,
    *,
    mailer: Mailer | None = None,
    hasher: Passwords | None = None,
    clock: Clock = utc_now,
) -> FastAPI:
    """Return the application; its tables must exist (`alembic upgrade head`).

    Without *site* the environment says what the site has to know.
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
    app.state.sessions = open_sessions(engine, key=site.efface_key, passwords=hasher, clock=clock)
    app.state.tries = Tries(site, clock)
    app.state.closing = closing = account_closing(app)
    app.state.templates = templates = Jinja2Templates(HERE / "templates")
    templates.env.globals["csrf_token"] = csrf_token
    templates.env.globals["csrf_field"] = csrf_field
    templates.env.globals["is_magic"] = site.profile == "magic"
    templates.env.globals["account_closing"] = closing.render

    for part in (pages, registration, log_in, passwords, settings, groups):
        app.include_router(part.router)
    if site.dev:
        app.include_router(dev.router)
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
    """Return the part of Efface that closes accounts over HTTP and the live socket."""
    site, sessions, tries = app.state.settings, app.state.sessions, app.state.tries

    def current_user_id(connection: HTTPConnection) -> int | None:
        with sessions() as session:
            user = current_user(connection, session)
            return user.id if user else None

    def has_password(session: Session, user_id: int) -> bool:
        return users.has_password(session, user_id)

    def check_password(session: Session, user_id: int, password: str) -> bool:
        seconds = tries.wait("password", site.limits.password, account=str(user_id))
        if seconds is not None:
            raise TooManyAttemptsError(seconds)
        return users.check_password(session, users.get_user(session, user_id), password)

    def has_recent_login(connection: HTTPConnection) -> bool:
        with sessions() as session:
            log_in = current_log_in(connection, session)
            now = session.info["clock"]()
            return log_in is not None and log_in.authenticated_within(SUDO_TO_SEND, now)

    def last_mail(session: Session, user_id: int) -> Callable[[ConfirmationEmail], None] | None:
        user = users.get_user(session, user_id)
        if user is None:
            return None
        email, mailer = user.email, app.state.mailer
        return lambda farewell: deliver_farewell(mailer, email, farewell, site.url)

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
        labels=words,
        templates=HERE / "templates" / "closing",
        blockers=blockers,
        confirmation_email=last_mail,
        login_path="/users/log_in",
        broker=RedisBroker(site.redis_url, secret=site.live_key) if site.redis_url else None,
    )


def picking(sessions: sessionmaker[Session]) -> Callable[[int, str], Awaitable[Picked | None]]:
    """Return what picks a plot for a page, in a transaction of its own."""

    def pick(user_id: int, label: str) -> Picked | None:
        with sessions.begin() as session:
            return pick_plot(session, user_id, label)

    return lambda user_id, label: run_in_threadpool(pick, user_id, label)


def add_error_pages(app: FastAPI) -> None:
    """Answer people with a page and scripts with JSON, whatever goes wrong."""

    def led_elsewhere(request: Request, error: RedirectError) -> Response:
        return redirect(request, error.to, **error.flash)

    def refused(request: Request, error: HTTPException) -> Response:
        return error_page(request, error.status_code, error.headers)

    app.add_exception_handler(RedirectError, led_elsewhere)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, refused)  # type: ignore[arg-type]
    for error, status in ((NoResultFound, 404), (RequestValidationError, 422), (Exception, 500)):
        app.add_exception_handler(error, _page_with(status))


def error_page(request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the page for an error; it needs neither database nor session."""
    phrase = HTTPStatus(status).phrase
    # The last resort stands outside of all middleware, so it brings its headers along.
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
