"""What a form must say before we believe it: one sentence per field that is wrong."""

import re

from garden.accounts.passwords import LONGEST, SHORTEST

EMAIL = re.compile(r"[^\s@,;\x00-\x1f]+@[^\s@,;\x00-\x1f]+")
LONGEST_EMAIL = 160
LONGEST_NAME = 80

TAKEN = "has already been taken"


class FormError(Exception):
    """A form cannot be accepted; `errors` has a sentence for each field."""

    def __init__(self, **errors: str | None) -> None:
        """Keep the fields that have an error."""
        self.errors = {field: error for field, error in errors.items() if error}
        super().__init__(f"not accepted: {', '.join(self.errors)}")


def email_error(email: str) -> str | None:
    """Return what is wrong with an e-mail address, looking at its form only."""
    if not email:
        return "can't be blank"
    if not EMAIL.fullmatch(email):
        return "must have the @ sign and no spaces"
    if len(email) > LONGEST_EMAIL:
        return f"should be at most {LONGEST_EMAIL} characters"
    # Closed accounts have an address under .invalid; nobody may sign up as one of them.
    if email.lower().rstrip(".").endswith(".invalid"):
        return "cannot receive mail"
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


def confirmation_error(password: str, confirmation: str | None) -> str | None:
    """Return what is wrong with the repeated password, where a form asks for it."""
    return None if confirmation in (None, password) else "does not match password"


def name_error(name: str) -> str | None:
    """Return what is wrong with a name; it may be left out."""
    if len(name) > LONGEST_NAME:
        return f"should be at most {LONGEST_NAME} characters"
    return None
