"""Define the signals of the app. Efface sends them after the commit, never before."""

from __future__ import annotations

from django.dispatch import Signal

account_closed = Signal()
"""The user is hidden and logged out. Close open connections and clear caches.

Sent by the user model with ``subject`` (the primary key), ``receipt`` and ``using``.
"""

account_erased = Signal()
"""The user's values are gone. Sent right after `account_closed`, with the same arguments."""

account_finalized = Signal()
"""The post-commit pass and the search are done. Sent with ``receipt`` and ``using``."""
