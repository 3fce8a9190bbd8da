"""Objects that one holds: saving or deleting one never touches a closed account."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import getattr_static
from typing import Any

from django.db import router
from django.db.models import Model

from efface.django.hiding.include_closed_querysets import not_asking
from efface.django.hiding.user_rows import People
from efface.errors import ClosedObjectError
from efface.include_closed_block import in_block, include_closed, this_block

LOADED_IN = "_efface_loaded_in"
"""The attribute of an object's state with the block in which its values were loaded."""

FORGOT = "_efface_forgot"
"""The attribute of an object's state where it has no value from before the closing."""

LATER = "_efface_tombstone_later"
"""The attribute of an object's state where the tombstone was loaded after the other values."""


def cover(people: People) -> None:
    """Guard the methods by which an object reads and writes rows of people."""
    guards: dict[str, Callable[[People, Any, Any], Any]] = {
        "from_db": _noting_block,
        "_do_update": _guarded_update,
        "delete": _guarded_delete,
        "refresh_from_db": _with_closed,
    }
    covered: list[Any] = []
    for model in people.models():
        for name, guard in guards.items():
            # A child has the method of its ancestor, unless it brings its own.
            if not any(getattr_static(model, name) is method for method in covered):
                setattr(model, name, guard(people, model, getattr_static(model, name)))
                covered.append(getattr_static(model, name))
    person: Any = people.model
    signed_in = getattr(person, "is_authenticated", None)
    if isinstance(signed_in, property):
        person.is_authenticated = _of_open_accounts(people, signed_in)


def forget(user: Any) -> None:
    """Let *user*, just closed, load its fields anew, one by one, when they are next read.

    A field that is not loaded is not saved either.
    """
    if not isinstance(user, Model):
        return
    for field in user._meta.concrete_fields:
        if not field.primary_key:
            user.__dict__.pop(field.attname, None)
    user._state.fields_cache.clear()
    user.__dict__.pop("_prefetched_objects_cache", None)
    setattr(user._state, FORGOT, True)


def _noting_block(_people: People, _model: Any, original: Any) -> Any:
    @wraps(original.__func__)
    def from_db(cls: Any, *arguments: Any, **options: Any) -> Any:
        found = original.__func__(cls, *arguments, **options)
        setattr(found._state, LOADED_IN, this_block())
        return found

    return classmethod(from_db)


def _guarded_update(people: People, _model: Any, original: Any) -> Any:
    @wraps(original)
    def update(self: Any, rows: Any, using: Any, key: Any, *arguments: Any, **options: Any) -> Any:
        table = rows.model
        if not people.is_here(table):
            return original(self, rows, using, key, *arguments, **options)
        if in_block() and not _is_meant(people, self, table):
            # It would write back what has gone, and open the account.
            rows = not_asking(rows)
        found = original(self, rows, using, key, *arguments, **options)
        if not found and people.has_closed(table, [key], using):
            raise ClosedObjectError(people.model._meta.label, "save()")
        return found

    return update


def _is_meant(people: People, held: Any, table: Any) -> bool:
    """Tell whether *held* has values from after the closing, so that they may be written."""
    state, deleted_at = held._state.__dict__, people.deleted_at.attname
    if FORGOT in state:
        # Read as empty since, the closing has been rolled back.
        return held.__dict__.get(deleted_at, held) is not None
    if deleted_at in held.__dict__ and LATER not in state:
        is_child = table is not people.model and issubclass(table, people.model)
        # A fixture brings the row of a child without the tombstone.
        is_fixture = is_child and held._state.adding
        return is_fixture or held.__dict__[deleted_at] is not None
    # An ancestor has no tombstone, nor has what only() loads: it has to be of this block.
    return state.get(LOADED_IN) is this_block()


def _guarded_delete(people: People, model: Any, original: Any) -> Any:
    @wraps(original)
    def delete(self: Any, *arguments: Any, **options: Any) -> Any:
        using = (arguments or (options.get("using"),))[0]
        alias = using or router.db_for_write(type(self), instance=self)
        key = getattr(self, model._meta.pk.attname)
        # First of all: what refers to the row would be deleted before the row itself.
        if key is not None and not in_block() and people.has_closed(model, [key], alias):
            raise ClosedObjectError(people.model._meta.label, "delete()")
        return original(self, *arguments, **options)

    return delete


def _with_closed(people: People, _model: Any, original: Any) -> Any:
    @wraps(original)
    def refresh(self: Any, using: Any = None, fields: Any = None, *more: Any, **named: Any) -> None:
        some = None if fields is None else set(fields)
        # It is held already; so does a deferred field come, and ``.email`` of an author.
        with include_closed():
            original(self, using, some, *more, **named)
        state = self._state.__dict__
        if some is None:
            state[LOADED_IN] = this_block()
            state.pop(LATER, None)
        elif people.deleted_at.attname in some:
            state[LATER] = True

    return refresh


def _of_open_accounts(people: People, original: property) -> property:
    def is_authenticated(self: Any) -> bool:
        """Return whether somebody is signed in: whoever has left is not, by no token."""
        # Loaded where it is not yet, as on an object whose account has just been closed.
        left = getattr(self, people.deleted_at.attname) is not None
        return bool(original.__get__(self)) and not left

    return property(is_authenticated)
