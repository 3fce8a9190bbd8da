"""What proves to the closing page that it is the member."""

from django.http import HttpRequest

from efface.django import TooManyTriesError
from garden_django.accounts import users
from garden_django.parts import parts


def is_password(request: HttpRequest, password: str) -> bool:
    """Return whether *password* is that of whoever is logged in.

    Raises:
        TooManyTriesError: it was tried too often.
    """
    user_id = request.user.pk
    seconds = parts.tries.wait("password", parts.settings.limits.password, account=str(user_id))
    if seconds is not None:
        raise TooManyTriesError(seconds)
    return users.check_password(users.get_user(user_id), password)
