"""Passwords: hashed with Argon2, and checked in the same time for everybody."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 72


class Passwords:
    """Hash passwords and check them; tests pass in a hasher that costs less."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use *hasher*, or Argon2id with the parameters OWASP recommends for a web server."""
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)

    def hash(self, password: str) -> str:
        """Return what may be stored of *password*."""
        return self._hasher.hash(_bytes(password))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Return whether *password* is the one behind *hashed*.

        Without a hash to compare, it hashes anyway: the response time must not show whether an
        email address is known.
        """
        if not hashed or not 0 < len(password) <= LONGEST:
            self._hasher.hash(b"")
            return False
        try:
            return self._hasher.verify(hashed, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    # JSON can carry half a surrogate pair, which plain UTF-8 refuses with an exception.
    return password.encode("utf-8", "surrogatepass")
