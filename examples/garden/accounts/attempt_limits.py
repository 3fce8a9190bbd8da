"""Limit attempts per client and per account, in windows of a quarter of an hour.

The name of a counter is a keyed hash, so Redis shows no email addresses. An account is counted
whether it exists or not. The time is the application's own clock.
"""

import hmac
import logging
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from garden.site_settings import Limit, Settings

logger = logging.getLogger("garden.accounts")

QUARTER_HOUR = 900
# A visitor waits for a page while Redis answers.
MIN_AGE = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}


class AttemptLimits:
    """Counts attempts in memory or, for several workers, in Redis."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        """Connect to nothing yet."""
        options = MIN_AGE if settings.redis_url else {}
        storage = storage_from_string(
            settings.redis_url or "memory://", wrap_exceptions=True, **options
        )
        self._limiter = FixedWindowRateLimiter(storage)
        self._key, self._clock = settings.limits_secret, clock

    def seconds_to_wait(
        self, what: str, limit: Limit, *, client: str = "", account: str = ""
    ) -> int | None:
        """Count an attempt; after too many, return the seconds to wait."""
        quarter, seconds = divmod(int(self._clock().timestamp()), QUARTER_HOUR)
        counted = [("client", client, limit.client), ("account", account, limit.account)]
        for kind, whose, allowed in counted:
            if whose and not self._admits(allowed, f"{what} {kind} {quarter} {whose}"):
                return QUARTER_HOUR - seconds
        return None

    def _admits(self, allowed: int, counter: str) -> bool:
        name = hmac.digest(self._key, counter.encode("utf-8", "replace"), "sha256").hex()
        try:
            # Twice the time, so that no counter expires before its window ends.
            return self._limiter.hit(RateLimitItemPerSecond(allowed, 2 * QUARTER_HOUR), name)
        except StorageError as error:
            # A refusal would lock out all members, and passwords are still checked.
            logger.warning("Attempts are not counted: %s", type(error.storage_error).__name__)
            return True


def account_of(email: str) -> str:
    """Return the counter's name for an email address."""
    return email.strip().lower()[:320]


def client_of(host: str) -> str:
    """Return the counter's name for a client with this IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    # A client with one IPv6 address usually has its whole /64 network.
    return str(
        ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else host
    )
