"""Signals: sent when it is committed, never before."""

from __future__ import annotations

from django.dispatch import Signal

account_closed = Signal()
"""The account is closed and its values are gone: end open sockets, tell caches.

Sent by the model of people with ``subject`` (the primary key), ``receipt`` and ``using``.
"""

account_erased = Signal()
"""The second pass and the search are done. Sent with the settled ``receipt`` and ``using``."""
