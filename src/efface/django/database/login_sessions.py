"""The sessions of a person in the database: encoded, so they are ended one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils import timezone

from efface.django.schema.models_to_metadata import table_name
from efface.policy.policy import Policy

USER = "_auth_user_id"
AT_ONCE = 1000
"""How many sessions are in memory at a time."""


def end_sessions(people: Collection[Any], policy: Policy) -> int:
    """End the sessions in which somebody of these *people*, primary keys, is logged in.

    Reads every session that is kept in the database and has not expired; elsewhere there is no
    list to read. Where the table has links in *policy*, the closing itself has reached the rows,
    and nothing is read. Returns how many have been ended.
    """
    if not people or not apps.is_installed("django.contrib.sessions"):
        return 0
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):
        return 0
    model = store.get_model_class()
    table_rules = policy.tables.get(table_name(model))
    if table_rules is not None and table_rules.close_rules:
        return 0
    ended, keys = 0, {str(key) for key in people}
    for session in _sessions(model):
        if session.get_decoded().get(USER) in keys:
            # By the store: it may keep a copy in a cache.
            store(session.session_key).delete()
            ended += 1
    return ended


def _sessions(model: Any) -> Iterator[Any]:
    """Yield those that have not expired, some at a time and in the order of the primary key.

    Not by a cursor of the database: poolers of connections have none that outlives a statement.
    """
    last = ""
    while True:
        going_on = model.objects.filter(pk__gt=last, expire_date__gt=timezone.now())
        found = list(going_on.order_by("pk")[:AT_ONCE])
        yield from found
        if len(found) < AT_ONCE:
            return
        last = found[-1].pk
