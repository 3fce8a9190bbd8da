"""What Efface asks the garden about whoever leaves; the setting EFFACE names these functions."""

from collections.abc import Callable

from django.http import HttpRequest

from efface.django import TooManyAttemptsError
from efface.page.confirmation_email import ConfirmationEmail
from garden.accounts.emails import deliver_confirmation_email
from garden.accounts.token_secrets import SUDO_TO_SEND
from garden_django.accounts import users
from garden_django.accounts.sessions import current_login
from garden_django.app_state import now, state
from garden_django.models import User


def identify(request: HttpRequest) -> int | None:
    """Return the key of who is logged in, for a page and for each event of a socket."""
    login = current_login(request)
    return login.user.pk if login is not None else None


def check_password(request: HttpRequest, password: str) -> bool:
    """Return whether *password* is that of whoever is logged in.

    Raises:
        TooManyAttemptsError: it was tried too often.
    """
    user_id = request.user.pk
    seconds = state.attempt_limits.seconds_to_wait(
        "password", state.settings.limits.password, account=str(user_id)
    )
    if seconds is not None:
        raise TooManyAttemptsError(seconds)
    return users.check_password(users.get_user(user_id), password)


def has_recent_login(request: HttpRequest) -> bool:
    """Return whether somebody without a password has proved a short while ago that it is them."""
    login = current_login(request)
    return login is not None and login.authenticated_within(SUDO_TO_SEND, now())


def confirmation_email(user: User) -> Callable[[ConfirmationEmail], None]:
    """Return what sends the last mail; its address is taken now, before it goes."""
    email = user.email
    return lambda said: deliver_confirmation_email(state.mailer, email, said, state.settings.url)
