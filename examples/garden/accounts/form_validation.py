"""Validate the forms about accounts: registration, new email address, new password."""

import re
from collections.abc import Callable
from typing import Any

from garden.accounts.password_hashing import LONGEST, SHORTEST

EMAIL = re.compile(r"[^\s@,;\x00-\x1f]+@[^\s@,;\x00-\x1f]+")
LONGEST_EMAIL = 160
LONGEST_NAME = 80

TAKEN = "has already been taken"


class FormError(Exception):
    """A form was refused; `errors` has the reason for each wrong field."""

    def __init__(self, **errors: str | None) -> None:
        """Keep the fields that have an error."""
        self.errors = {field: error for field, error in errors.items() if error}
        super().__init__(f"not accepted: {', '.join(self.errors)}")


def email_error(email: str) -> str | None:
    """Return what is wrong with the format of an email address."""
    if not email:
        return "can't be blank"
    if not EMAIL.fullmatch(email):
        return "must have the @ sign and no spaces"
    if len(email) > LONGEST_EMAIL:
        return f"should be at most {LONGEST_EMAIL} characters"
    # The email addresses of closed accounts end in .invalid, so no new account may have one.
    if email.lower().rstrip(".").endswith(".invalid"):
        return "can't receive email"
    return None


def password_error(password: str) -> str | None:
    """Return what is wrong with a new password."""
    if not password:
        return "can't be blank"
    if len(password) < SHORTEST:
        return f"should be at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"should be at most {LONGEST} characters"
    return None


def confirmation_error(password: str | None, confirmation: str | None) -> str | None:
    """Return what is wrong with the repeated password; without a password it doesn't matter."""
    if password is None or confirmation in (None, password):
        return None
    return "doesn't match the password"


def name_error(name: str) -> str | None:
    """Return what is wrong with a name, which is optional."""
    if len(name) > LONGEST_NAME:
        return f"should be at most {LONGEST_NAME} characters"
    return None


def check_registration(
    *,
    email: str,
    name: str,
    password: str | None,
    password_confirmation: str | None,
    find: Callable[[str], Any],
) -> None:
    """Check the registration form; *find* returns the member with an email address.

    Without a password (`None`) members log in with links, and the form has no password fields.

    Raises:
        FormError: a field is wrong, or another member has the email address.
    """
    problem = FormError(
        email=email_error(email),
        name=name_error(name),
        password=None if password is None else password_error(password),
        password_confirmation=confirmation_error(password, password_confirmation),
    )
    if "email" not in problem.errors and find(email):
        problem.errors["email"] = TAKEN
    if problem.errors:
        raise problem


def check_new_email(
    email: str, user: Any, *, find: Callable[[str], Any], is_password_wrong: bool
) -> None:
    """Check a new email address for *user*; *find* returns the member with an email address.

    Raises:
        FormError: a field is wrong, or another member has the email address.
    """
    error = email_error(email)
    if error is None and email == user.email:
        error = "did not change"
    owner = None if error else find(email)
    if owner and owner.id != user.id:
        error = TAKEN
    if error or is_password_wrong:
        raise FormError(email=error, current_password="is incorrect" if is_password_wrong else None)


def check_new_password(
    password: str, confirmation: str | None, *, is_password_wrong: bool = False
) -> None:
    """Check a new password, and refuse it if the current one is wrong.

    Raises:
        FormError: a field is wrong.
    """
    problem = FormError(
        password=password_error(password),
        password_confirmation=confirmation_error(password, confirmation),
        current_password="is incorrect" if is_password_wrong else None,
    )
    if problem.errors:
        raise problem
