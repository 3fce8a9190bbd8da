"""Objects that one holds: saving or deleting one never touches a closed account."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.db import router

from efface.django.people import People
from efface.errors import ClosedObjectError
from efface.visibility import in_block, include_closed


def cover(people: People) -> None:
    """Guard the methods of the model of people by which an object reads and writes its row."""
    model: Any = people.model
    model._do_update = _guarded_update(people, model._do_update)
    model.delete = _guarded_delete(people, model.delete)
    model.refresh_from_db = _with_closed(model.refresh_from_db)
    signed_in = getattr(model, "is_authenticated", None)
    if isinstance(signed_in, property):
        model.is_authenticated = _of_open_accounts(people, signed_in)


def _guarded_update(people: People, original: Any) -> Any:
    is_open = {f"{people.tombstone.name}__isnull": True}

    @wraps(original)
    def update(self: Any, rows: Any, using: Any, key: Any, *arguments: Any, **options: Any) -> Any:
        # An object from before the closing would write back what has gone, and open the account.
        is_stale = self.__dict__.get(people.tombstone.attname, self) is None
        if is_stale and in_block() and rows.model._meta.db_table == people.model._meta.db_table:
            rows = rows.filter(**is_open)
        found = original(self, rows, using, key, *arguments, **options)
        if not found and people.has_closed(rows.model, [key], using):
            raise ClosedObjectError(people.model._meta.label, "save()")
        return found

    return update


def _guarded_delete(people: People, original: Any) -> Any:
    @wraps(original)
    def delete(self: Any, *arguments: Any, **options: Any) -> Any:
        using = (arguments or (options.get("using"),))[0]
        alias = using or router.db_for_write(type(self), instance=self)
        # First of all: what refers to the row would be deleted before the row itself.
        if (
            self.pk is not None
            and not in_block()
            and people.has_closed(people.model, [self.pk], alias)
        ):
            raise ClosedObjectError(people.model._meta.label, "delete()")
        return original(self, *arguments, **options)

    return delete


def _with_closed(original: Any) -> Any:
    @wraps(original)
    def refresh(self: Any, *arguments: Any, **options: Any) -> Any:
        # It is held already; so does a deferred field come, and ``.email`` of an author.
        with include_closed():
            return original(self, *arguments, **options)

    return refresh


def _of_open_accounts(people: People, original: property) -> property:
    def is_authenticated(self: Any) -> bool:
        """Return whether somebody is signed in: whoever has left is not, by no token."""
        # Loaded where it is not yet, as on an object whose account has just been closed.
        left = getattr(self, people.tombstone.attname) is not None
        return bool(original.__get__(self)) and not left

    return property(is_authenticated)
