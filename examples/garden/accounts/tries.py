"""How often one may try: counted for a client and for an account, whether it exists or not.

A counter stands under a keyed hash, so that nobody reads addresses out of Redis. Time is the
site's own clock, cut into quarters of an hour.
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

from garden.settings import Limit, Settings

logger = logging.getLogger("garden.accounts")

A_QUARTER = 900
# Redis is asked while somebody waits for a page.
MIN_AGE = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}


class Tries:
    """Counts tries, in memory or, for several workers, in Redis."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        """Connect to nothing yet."""
        options = MIN_AGE if settings.redis_url else {}
        storage = storage_from_string(
            settings.redis_url or "memory://", wrap_exceptions=True, **options
        )
        self._limiter = FixedWindowRateLimiter(storage)
        self._key, self._clock = settings.limits_key, clock

    def wait(self, what: str, limit: Limit, *, client: str = "", account: str = "") -> int | None:
        """Count a try; return the seconds to wait where there were too many, else None."""
        quarter, seconds = divmod(int(self._clock().timestamp()), A_QUARTER)
        counted = [("client", client, limit.client), ("account", account, limit.account)]
        for kind, whose, tries in counted:
            if whose and not self._admits(tries, f"{what} {kind} {quarter} {whose}"):
                return A_QUARTER - seconds
        return None

    def _admits(self, tries: int, counter: str) -> bool:
        name = hmac.digest(self._key, counter.encode("utf-8", "replace"), "sha256").hex()
        try:
            # Twice the time, so that no counter goes before its quarter is over.
            return self._limiter.hit(RateLimitItemPerSecond(tries, 2 * A_QUARTER), name)
        except StorageError as error:
            # Nobody can log in where we refuse now, and passwords are still checked.
            logger.warning("Tries are not counted: %s", type(error.storage_error).__name__)
            return True


def account_of(email: str) -> str:
    """Return the name under which tries with an address are counted."""
    return email.strip().lower()[:320]


def client_of(host: str) -> str:
    """Return the name under which tries from a device with this address are counted."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    # Whoever has one address of version 6 has all that share its first half.
    return str(
        ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else host
    )
