"""End the login sessions of a user in the database, one by one, because they are encoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils import timezone

from efface.django.schema.models_to_metadata import table_name
from efface.policy.policy import Policy

USER_KEY = "_auth_user_id"
BATCH_SIZE = 1000
"""The number of sessions that are read with one query."""


def end_sessions(user_keys: Collection[Any], policy: Policy) -> int:
    """End the sessions in which one of these users is logged in, and return their number.

    Reads each session in the database that has not expired. Other session stores have no list to
    read. If *policy* has an ``on_close`` rule for the session table, the closure has already
    changed its rows, and nothing is read.
    """
    if not user_keys or not apps.is_installed("django.contrib.sessions"):
        return 0
    store = import_module(settings.SESSION_ENGINE).SessionStore
    # Only stores with a database table have a model.
    if not hasattr(store, "get_model_class"):
        return 0
    model = store.get_model_class()
    table_rules = policy.tables.get(table_name(model))
    if table_rules is not None and table_rules.close_rules:
        return 0
    ended, keys = 0, {str(key) for key in user_keys}
    for session in _iterate_sessions(model):
        if session.get_decoded().get(USER_KEY) in keys:
            # Delete through the store, because it may have a copy in a cache.
            store(session.session_key).delete()
            ended += 1
    return ended


def _iterate_sessions(model: Any) -> Iterator[Any]:
    """Yield the sessions that have not expired, in batches by primary key.

    A database cursor would be simpler, but connection poolers close it after each statement.
    """
    last = ""
    while True:
        unexpired = model.objects.filter(pk__gt=last, expire_date__gt=timezone.now())
        found = list(unexpired.order_by("pk")[:BATCH_SIZE])
        yield from found
        if len(found) < BATCH_SIZE:
            return
        last = found[-1].pk
