"""Functions that the setting EFFACE names: identity, password, recent login, confirmation email."""

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
    """Return the logged-in member's primary key, for a page and for each event of a WebSocket."""
    login = current_login(request)
    return login.user.pk if login is not None else None


def check_password(request: HttpRequest, password: str) -> bool:
    """Return whether *password* is the logged-in member's.

    Raises:
        TooManyAttemptsError: there were too many attempts.
    """
    user_id = request.user.pk
    seconds = state.attempt_limits.seconds_to_wait(
        "password", state.settings.limits.password, account=str(user_id)
    )
    if seconds is not None:
        raise TooManyAttemptsError(seconds)
    return users.check_password(users.get_user(user_id), password)


def has_recent_login(request: HttpRequest) -> bool:
    """Return whether a member without a password has logged in recently."""
    login = current_login(request)
    return login is not None and login.authenticated_within(SUDO_TO_SEND, now())


def confirmation_email(user: User) -> Callable[[ConfirmationEmail], None]:
    """Return a function that sends the confirmation email to the address of this moment."""
    email = user.email
    return lambda text: deliver_confirmation_email(state.mailer, email, text, state.settings.url)
