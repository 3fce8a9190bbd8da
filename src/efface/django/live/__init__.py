"""WebSockets of open pages, served next to Django's ASGI application."""

from efface.django.live.live_pages import Live, LiveEvent

__all__ = ["Live", "LiveEvent"]
