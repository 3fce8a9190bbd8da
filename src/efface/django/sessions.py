"""The sessions of a person in the database: encoded, so they are ended one by one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings

USER = "_auth_user_id"


def end_sessions(key: Any) -> int:
    """End the sessions in which the person with this primary *key* is logged in.

    Reads every session that is kept in the database; elsewhere there is no list to read. Returns
    how many have been ended.
    """
    if not apps.is_installed("django.contrib.sessions"):
        return 0
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):
        return 0
    ended = 0
    for session in store.get_model_class().objects.iterator():
        if session.get_decoded().get(USER) == str(key):
            # By the store: it may keep a copy in a cache.
            store(session.session_key).delete()
            ended += 1
    return ended
