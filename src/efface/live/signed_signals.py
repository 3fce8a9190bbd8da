"""Write signals as short, signed bytes that don't name a user."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Hashable
from typing import Any

from efface.live.broker import Signal
from efface.live.frames import LARGEST_NAME

LARGEST_SIGNAL = 128 * 1024
_SHORTEST_SECRET = 16
_MARK = 64
_TOPIC = 64


class UnreadableSignalError(Exception):
    """The bytes are not a signal of this site."""


class SignalSigner:
    """Write signals, and read those that were written with the same secret.

    Args:
        secret: The secret of the site, at least 16 bytes.

    Raises:
        ValueError: The secret is shorter.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(
                f"A broker needs a secret of at least {_SHORTEST_SECRET} bytes. "
                "Make one: secrets.token_bytes(32)"
            )
        self._key = hmac.digest(secret, b"efface signals", "sha256")
        self.site = self._mark(b"site")[:16]

    def topic(self, subject: Hashable) -> str:
        """Return a name that reveals the user's primary key only with the secret."""
        return self._mark(b"topic " + repr(subject).encode("utf-8", "surrogatepass"))

    def write(self, signal: Signal, origin: str) -> bytes:
        """Return the signal and the name of the process that sends it, signed.

        Raises:
            ValueError: It is longer than the limit, or contains NaN.
            TypeError: Its payload contains a value that JSON doesn't have.
        """
        value = [origin, signal.kind, signal.topic, signal.event, dict(signal.payload)]
        text = json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
        if _MARK + len(text) > LARGEST_SIGNAL:
            raise ValueError(f"This signal is longer than {LARGEST_SIGNAL} bytes.")
        return self._mark(text).encode("ascii") + text

    def read(self, message: object) -> tuple[str, Signal]:
        """Return the name of the process that wrote the signal, and the signal.

        Raises:
            UnreadableSignalError: The bytes are too many, or not from this site.
        """
        if not isinstance(message, bytes) or not _MARK < len(message) <= LARGEST_SIGNAL:
            raise UnreadableSignalError
        mark, text = message[:_MARK], message[_MARK:]
        if not hmac.compare_digest(mark, self._mark(text).encode("ascii")):
            raise UnreadableSignalError
        try:
            # Ours, but perhaps from another version, because both run during a deployment.
            return _signal(json.loads(text))
        except (ValueError, TypeError, RecursionError):
            raise UnreadableSignalError from None

    def _mark(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _signal(value: Any) -> tuple[str, Signal]:
    origin, kind, topic, event, payload = value
    is_topic = isinstance(topic, str) and len(topic) == _TOPIC
    is_event = isinstance(event, str) and 0 < len(event) <= LARGEST_NAME
    if not isinstance(origin, str) or not isinstance(payload, dict):
        raise ValueError  # noqa: TRY004  (the caller makes one error of all)
    if not (
        (kind == "end" and is_topic)
        or (kind == "recheck" and (is_topic or topic is None))
        or (kind == "push" and (is_topic or topic is None) and is_event)
    ):
        raise ValueError
    return origin, Signal(kind, topic, event, payload)
