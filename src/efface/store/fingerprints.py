"""Make keyed fingerprints, which records have instead of a user's primary key."""

from __future__ import annotations

import hmac
from typing import Any

from efface.errors import WeakSecretError

SHORTEST_KEY = 16


class Fingerprints:
    """Makes fingerprints of primary keys; without the secret, they cannot be recomputed."""

    def __init__(self, secret: bytes | str) -> None:
        """Keep *secret*.

        Raises:
            WeakSecretError: it has fewer than 16 bytes.
        """
        self._secret = secret.encode() if isinstance(secret, str) else bytes(secret)
        if len(self._secret) < SHORTEST_KEY:
            raise WeakSecretError

    def __repr__(self) -> str:
        """Return nothing about the secret."""
        return "<Fingerprints>"

    def of(self, table: str, key: tuple[Any, ...]) -> str:
        """Return the fingerprint of the row of *table* with this primary *key*."""
        # "subject" separates this from other uses of the secret, and repr() the parts.
        text = repr(("subject", table, *map(str, key)))
        return hmac.digest(self._secret, text.encode(), "sha256").hex()
