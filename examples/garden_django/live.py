"""The WebSocket of pages that are open: closings, plots, and the end of logins."""

from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from efface.django.live import Live
from efface.live.redis import RedisBroker
from garden.live_plots import Picked, listen, tell
from garden_django.app_state import state
from garden_django.background_tasks import apart
from garden_django.plots import pick_plot

site = state.settings
broker = RedisBroker(site.redis_url, secret=site.live_secret) if site.redis_url else None
live = Live("/live", broker=broker)


async def pick(user_id: Any, label: str) -> Picked | None:
    """Pick a plot for a page, in a thread: Django's ORM waits for the database."""
    return await sync_to_async(apart, thread_sensitive=False)(pick_plot, user_id, label)


def tell_all(user_id: Any, picked: Picked) -> None:
    """Tell the open pages, from a view, whose plot it is now."""
    async_to_sync(tell)(live, user_id, picked)


listen(live, pick)
