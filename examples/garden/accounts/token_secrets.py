"""The secret in a cookie or a link: what we store of it, and how long it is good for.

The secret goes to the person, and only its hash into the database. It is 32 random bytes as
URL-safe base64 without padding. Whatever else arrives, be it expired, used, altered or not base64
at all, is simply a token that we do not know.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SESSION, CONFIRM, RESET_PASSWORD, CHANGE_EMAIL, LOG_IN = (
    "session",
    "confirm",
    "reset_password",
    "change_email",
    "log_in",
)
VALID_FOR = {
    SESSION: timedelta(days=14),
    CONFIRM: timedelta(days=7),
    RESET_PASSWORD: timedelta(hours=1),
    CHANGE_EMAIL: timedelta(days=1),
    LOG_IN: timedelta(minutes=15),
}
# A session token is replaced after this time, and requests that were under way with the old one
# are still answered.
RENEWED_AFTER, GRACE = timedelta(days=7), timedelta(seconds=60)
# How old a login may be to open a protected page, and to send its form.
SUDO_TO_OPEN, SUDO_TO_SEND = timedelta(minutes=10), timedelta(minutes=20)

REMEMBER_ME = "_garden_user_remember_me"
MAX_AGE = int(VALID_FOR[SESSION].total_seconds())

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Login:
    """A login, as its row in the database has it.

    `authenticated_at` is when the person last proved who they are; `browser_id` stays the same
    when the token is replaced.
    """

    user: Any
    inserted_at: datetime
    authenticated_at: datetime | None = None
    replaced_at: datetime | None = None
    browser_id: str | None = None

    def authenticated_within(self, time: timedelta, now: datetime) -> bool:
        """Return whether the person proved who they are less than *time* ago."""
        return self.authenticated_at is not None and self.authenticated_at > now - time

    def is_due(self, now: datetime) -> bool:
        """Return whether its token is old enough to be replaced."""
        return self.replaced_at is None and self.inserted_at <= now - RENEWED_AFTER


def new_secret() -> str:
    """Return a random secret."""
    return secrets.token_urlsafe(32)


def new_browser_id() -> str:
    """Return a name for a browser that has just logged in."""
    return secrets.token_urlsafe(16)


def hash_secret(secret: str) -> bytes:
    """Return what we store of *secret*; nothing is stored that equals it for garbage."""
    if not _SECRET.fullmatch(secret):
        return b""
    return hashlib.sha256(urlsafe_b64decode(secret + "=")).digest()
