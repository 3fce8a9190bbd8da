"""What Efface asks the garden about whoever leaves; the setting EFFACE names these functions."""

from collections.abc import Callable

from django.http import HttpRequest

from efface.django import TooManyAttemptsError
from efface.page.confirmation_email import ConfirmationEmail
from garden.accounts.letters import deliver_farewell
from garden.accounts.secret import SUDO_TO_SEND
from garden_django.accounts import users
from garden_django.accounts.sessions import current_log_in
from garden_django.models import User
from garden_django.parts import now, parts


def identify(request: HttpRequest) -> int | None:
    """Return the key of who is logged in, for a page and for each event of a socket."""
    log_in = current_log_in(request)
    return log_in.user.pk if log_in is not None else None


def is_password(request: HttpRequest, password: str) -> bool:
    """Return whether *password* is that of whoever is logged in.

    Raises:
        TooManyAttemptsError: it was tried too often.
    """
    user_id = request.user.pk
    seconds = parts.tries.wait("password", parts.settings.limits.password, account=str(user_id))
    if seconds is not None:
        raise TooManyAttemptsError(seconds)
    return users.check_password(users.get_user(user_id), password)


def has_recent_login(request: HttpRequest) -> bool:
    """Return whether somebody without a password has proved a short while ago that it is them."""
    log_in = current_log_in(request)
    return log_in is not None and log_in.authenticated_within(SUDO_TO_SEND, now())


def farewell(user: User) -> Callable[[ConfirmationEmail], None]:
    """Return what sends the last mail; its address is taken now, before it goes."""
    email = user.email
    return lambda said: deliver_farewell(parts.mailer, email, said, parts.settings.url)
