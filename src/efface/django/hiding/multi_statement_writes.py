"""Filter all statements of one write in the same way, if Django needs several for it."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE
from django.db.models.sql.subqueries import DeleteQuery, UpdateQuery

from efface.django.hiding.include_closed_querysets import is_requested, request_closed
from efface.django.hiding.user_rows import UserRows
from efface.errors import ClosedObjectError
from efface.include_closed_block import include_closed


def guard_multi_statement_writes(users: UserRows) -> None:
    """Make each write of several statements include closed accounts in all of them, or in none."""
    QuerySet.delete = _delete_with_closed(QuerySet.delete)
    DeleteQuery.delete_batch = _delete_whole_batches(users, DeleteQuery.delete_batch)
    UpdateQuery.get_related_updates = _update_related_alike(UpdateQuery.get_related_updates)


def _delete_with_closed(original: Any) -> Any:
    @wraps(original)
    def delete(self: Any) -> Any:
        if not is_requested(self.query):
            return original(self)
        # Django's collector finds and deletes related rows with new queries, which do not inherit
        # the setting of this queryset.
        with include_closed():
            return original(self)

    return delete


def _delete_whole_batches(users: UserRows, original: Any) -> Any:
    @wraps(original)
    def delete_batch(self: Any, keys: Any, using: Any) -> int:
        if not users.has_rows_in(self.model):
            return int(original(self, keys, using))
        # Django deletes in chunks of this size. Compare the number of rows for each chunk, so
        # only a chunk with a missing row costs one more query.
        deleted = 0
        for start in range(0, len(keys), GET_ITERATOR_CHUNK_SIZE):
            batch = keys[start : start + GET_ITERATOR_CHUNK_SIZE]
            found = original(self, batch, using)
            # The filter kept the user's row, but Django has already deleted the rows that refer to
            # it. The error makes Django roll back.
            if found < len(batch) and users.has_closed(self.model, batch, using):
                raise ClosedObjectError(users.model._meta.label, "delete()")
            deleted += found
        return deleted

    return delete_batch


def _update_related_alike(original: Any) -> Any:
    @wraps(original)
    def get_related_updates(self: Any) -> Any:
        # With multi-table inheritance Django updates each parent table with a query of its own.
        updates = original(self)
        if is_requested(self):
            for update in updates:
                request_closed(update)
        return updates

    return get_related_updates
