"""What the routes have in common: tokens, fields, limits, mails."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]


def csrf_token_of_the_garden(get_response: Answer) -> Answer:
    """Take the token from ``_csrf_token`` too, as the forms of the other garden name it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = request.POST.get("_csrf_token") if request.method == "POST" else None
        if token and "HTTP_X_CSRF_TOKEN" not in request.META:
            request.META["HTTP_X_CSRF_TOKEN"] = token
        return get_response(request)

    return middleware


def link_to(request: HttpRequest, path: str) -> str:
    """Return the full address of a page, for mails."""
    return settings.GARDEN.url + path if settings.GARDEN.url else request.build_absolute_uri(path)


def deliver(to: str, subject: str, text: str) -> None:
    """Send one mail."""
    send_mail(subject, text, None, [to])


def seal(purpose: str, **facts: Any) -> str:
    """Return *facts* as a token for a link, which only this site can make."""
    return signing.dumps(facts, salt=f"garden {purpose}")


def unseal(purpose: str, token: str, seconds: int) -> dict[str, Any] | None:
    """Return the facts in a token that is not older than *seconds*, or None."""
    try:
        facts: dict[str, Any] = signing.loads(token, salt=f"garden {purpose}", max_age=seconds)
    except signing.BadSignature:
        return None
    return facts
