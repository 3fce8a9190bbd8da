"""What every view needs: forms, pages, redirects, and who may come in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.messages import ERROR
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render as rendered
from django.utils.safestring import SafeString, mark_safe
from jinja2 import Environment
from markupsafe import Markup

from efface.django.page.views import section
from efface.page.local_paths import is_local_path
from garden import notices
from garden.accounts.attempt_limits import client_of
from garden.accounts.token_secrets import SUDO_TO_OPEN, SUDO_TO_SEND
from garden.site_settings import Limit
from garden_django.app_state import now, state

Answering = Callable[..., HttpResponse]


class RefusedError(Exception):
    """The request is refused with a status and an error page."""

    def __init__(self, status: int, **headers: str) -> None:
        """Keep the status, and what else the answer says."""
        super().__init__(status)
        self.status, self.headers = status, headers


# ---------------------------------------------------------------- what comes in


def fields(request: HttpRequest, *names: str) -> list[str]:
    """Return the named fields of a form; what was not sent is empty.

    Raises:
        RefusedError: a file was sent where a text belongs, or a NUL, which no database stores.
    """
    said = [request.form.get(name, "") for name in names]
    if any(name in request.FILES for name in names) or "\0" in "".join(said):
        raise RefusedError(422)
    return said


def limit(request: HttpRequest, what: str, *, account: str = "") -> None:
    """Count an attempt, and refuse it after too many; the response says nothing else.

    Raises:
        RefusedError: there were.
    """
    allowed: Limit = getattr(state.settings.limits, what)
    client = client_of(request.META.get("REMOTE_ADDR", ""))
    seconds = state.attempt_limits.seconds_to_wait(what, allowed, client=client, account=account)
    if seconds is not None:
        raise RefusedError(429, **{"Retry-After": str(seconds)})


# ---------------------------------------------------------------- what goes out


def environment(**options: Any) -> Environment:
    """Return what the templates of the garden are rendered with."""
    made = Environment(**options)  # noqa: S701  # Django turns escaping on
    made.globals["account_closing"] = lambda request, _user_id: mark_safe(section(request))  # noqa: S308  # Efface's own templates, escaped
    return made


def of_every_page(request: HttpRequest) -> dict[str, Any]:
    """Return what every template may ask for; notices are shown once."""
    user = getattr(request, "user", None)
    shown = messages.get_messages(request)
    return {
        "csrf_token": get_token,
        "csrf_field": csrf_field,
        "is_magic": state.settings.profile == "magic",
        "user": user if user is not None and user.is_authenticated else None,
        "flash": {"error" if each.level >= ERROR else "info": each.message for each in shown},
    }


def csrf_field(request: HttpRequest) -> SafeString | Markup:
    """Return the hidden field that every form carries."""
    return Markup('<input type="hidden" name="_csrf_token" value="{}">').format(get_token(request))


def render(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Return a page."""
    answer = rendered(request, f"{name}.html", context, status=status)
    answer.headers["Content-Language"] = "en"  # whatever language Efface's pages speak
    return answer


def redirect(request: HttpRequest, to: str, *, info: str = "", error: str = "") -> HttpResponse:
    """Send the browser on by GET, whatever method brought it here."""
    if info:
        messages.info(request, info)
    if error:
        messages.error(request, error)
    answer = HttpResponseRedirect(to)
    answer.status_code = 303
    return answer


def link_to(request: HttpRequest, path: str) -> str:
    """Return the full address of a page, for emails."""
    return (state.settings.url or request.build_absolute_uri("/").rstrip("/")) + path


def after_the_answer(request: HttpRequest, work: Callable[..., Any], *arguments: Any) -> None:
    """Do *work* when the answer is made: how long it takes must not tell what is known."""
    request.background_tasks.append((work, *arguments))


# ---------------------------------------------------------------- who may come in


def for_members(view: Answering) -> Answering:
    """Send anonymous visitors to the login page, and then back to this page."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_log_in(request, notices.MUST_LOG_IN)
        return view(request, *arguments, **named)

    return guarded


def for_sudo(view: Answering) -> Answering:
    """Require a recent login; other members log in again.

    A form that was opened in time may be sent a little later.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        within = SUDO_TO_OPEN if request.method == "GET" else SUDO_TO_SEND
        if not request.login.authenticated_within(within, now()):
            return _to_log_in(request, notices.LOG_IN_ONCE_MORE)
        return view(request, *arguments, **named)

    return for_members(guarded)


def for_others(view: Answering) -> Answering:
    """Redirect members to the home page."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return redirect(request, "/")
        return view(request, *arguments, **named)

    return guarded


def _to_log_in(request: HttpRequest, why: str) -> HttpResponse:
    if request.method == "GET":
        path = request.get_full_path()
        # "//elsewhere.example" is another site; only our own pages are remembered.
        request.session["user_return_to"] = path if is_local_path(path) else "/"
    return redirect(request, "/users/log_in", error=why)
