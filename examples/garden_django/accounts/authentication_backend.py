"""How Django's own `authenticate` finds a member: by address and password."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from garden_django.accounts import users
from garden_django.models import User


class ByEmail(BaseBackend):
    """Members have an address; in upper or lower case, it is theirs."""

    def authenticate(
        self, _request: HttpRequest | None, email: str = "", password: str = "", **_: Any
    ) -> User | None:
        """Return the member with this address, if the password is right."""
        return users.get_user_by_email_and_password(email, password)

    def get_user(self, user_id: int) -> User | None:
        """Return one member, or none."""
        return users.get_user(user_id)
