"""What every route needs: the database, the visitor, pages and redirects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup
from sqlalchemy.orm import Session

from efface.asgi.csrf import csrf_token
from efface.page.local_paths import is_local_path
from garden import notices
from garden.accounts.attempt_limits import client_of
from garden.accounts.sessions import current_login
from garden.accounts.token_secrets import SUDO_TO_OPEN, SUDO_TO_SEND
from garden.models import User
from garden.site_settings import Limit

HERE = Path(__file__).parent


# What a form says; no database stores a NUL.
Text = Annotated[str, Form(pattern=r"^[^\x00]*$")]


class RedirectError(Exception):
    """The visitor cannot go on here, and is led elsewhere with a word about it."""

    def __init__(self, to: str, **flash: str) -> None:
        """Name the place, and the notice to show there."""
        super().__init__(to)
        self.to, self.flash = to, flash


def database(request: Request) -> Iterator[Session]:
    """Give a route a session of its own; what it does not commit is undone."""
    with request.app.state.sessions() as session:
        yield session


Database = Annotated[Session, Depends(database)]


def visitor(request: Request, db: Database) -> User | None:
    """Return who is logged in, or none."""
    login = request.state.login = current_login(request, db)
    request.state.user = login.user if login else None
    return login.user if login else None


Visitor = Annotated[User | None, Depends(visitor)]


def require_authenticated_user(request: Request, user: Visitor) -> User:
    """Send anonymous visitors to the login page, and then back to this page."""
    if user is None:
        if request.method == "GET":
            request.session["user_return_to"] = _path_of(request)
        raise RedirectError("/users/log_in", error=notices.MUST_LOG_IN)
    return user


Member = Annotated[User, Depends(require_authenticated_user)]


def require_sudo_mode(request: Request, db: Database, user: Member) -> User:
    """Require a recent login; other members log in again.

    A form that was opened in time may be sent a little later.
    """
    within = SUDO_TO_OPEN if request.method == "GET" else SUDO_TO_SEND
    if not request.state.login.authenticated_within(within, db.info["clock"]()):
        if request.method == "GET":
            request.session["user_return_to"] = _path_of(request)
        raise RedirectError("/users/log_in", error=notices.LOG_IN_ONCE_MORE)
    return user


SudoMember = Annotated[User, Depends(require_sudo_mode)]


def redirect_if_user_is_authenticated(user: Visitor) -> None:
    """Redirect members to the home page."""
    if user is not None:
        raise RedirectError("/")


ForOthers = Depends(redirect_if_user_is_authenticated)


def render(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page; notices are shown once."""
    context["user"] = getattr(request.state, "user", None)
    context["flash"] = request.session.pop("flash", {}) | context.get("flash", {})
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, f"{name}.html", context, status_code=status)


def limit(request: Request, what: str, *, account: str = "") -> None:
    """Count an attempt, and refuse it after too many; the response says nothing else."""
    state = request.app.state
    allowed: Limit = getattr(state.settings.limits, what)
    client = client_of(request.client.host if request.client else "")
    seconds = state.attempt_limits.seconds_to_wait(what, allowed, client=client, account=account)
    if seconds is not None:
        raise HTTPException(429, headers={"Retry-After": str(seconds)})


def csrf_field(request: Request) -> Markup:
    """Return the hidden field that every form carries."""
    return Markup('<input type="hidden" name="_csrf_token" value="{}">').format(csrf_token(request))


def redirect(request: Request, to: str, **flash: str) -> RedirectResponse:
    """Send the browser on by GET, whatever method brought it here."""
    if flash:
        request.session["flash"] = flash
    return RedirectResponse(to, 303)


def link_to(request: Request, path: str) -> str:
    """Return the full address of a page, for emails."""
    return (request.app.state.settings.url or str(request.base_url).rstrip("/")) + path


def _path_of(request: Request) -> str:
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    # "//elsewhere.example" is another site; only our own pages are remembered.
    return path if is_local_path(path) else "/"
