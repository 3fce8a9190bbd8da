"""What Django writes in several statements: they reach a closed account together, or none does."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE
from django.db.models.sql.subqueries import DeleteQuery, UpdateQuery

from efface.django.hiding.include_closed_querysets import ask, is_asked_for
from efface.django.hiding.user_rows import People
from efface.errors import ClosedObjectError
from efface.include_closed_block import include_closed


def keep_whole(people: People) -> None:
    """Let the statements of one write ask for closed accounts as the first of them does."""
    QuerySet.delete = _asking_throughout(QuerySet.delete)
    DeleteQuery.delete_batch = _whole(people, DeleteQuery.delete_batch)
    UpdateQuery.get_related_updates = _asking_alike(UpdateQuery.get_related_updates)


def _asking_throughout(original: Any) -> Any:
    @wraps(original)
    def delete(self: Any) -> Any:
        if not is_asked_for(self.query):
            return original(self)
        # What falls with the rows is found and deleted by queries of the collector's own.
        with include_closed():
            return original(self)

    return delete


def _whole(people: People, original: Any) -> Any:
    @wraps(original)
    def delete_batch(self: Any, keys: Any, using: Any) -> int:
        if not people.is_here(self.model):
            return int(original(self, keys, using))
        deleted = 0
        for start in range(0, len(keys), GET_ITERATOR_CHUNK_SIZE):
            batch = keys[start : start + GET_ITERATOR_CHUNK_SIZE]
            found = original(self, batch, using)
            # The row stays, but what refers to it is gone: the collector has to roll back.
            if found < len(batch) and people.has_closed(self.model, batch, using):
                raise ClosedObjectError(people.model._meta.label, "delete()")
            deleted += found
        return deleted

    return delete_batch


def _asking_alike(original: Any) -> Any:
    @wraps(original)
    def get_related_updates(self: Any) -> Any:
        updates = original(self)
        if is_asked_for(self):
            for update in updates:
                ask(update)
        return updates

    return get_related_updates
