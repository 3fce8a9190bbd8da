"""Keep loaded instances from writing to the row of a closed account with save() or delete()."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import getattr_static
from typing import Any

from django.db import router
from django.db.models import Model

from efface.django.hiding.include_closed_querysets import without_closed
from efface.django.hiding.user_rows import UserRows
from efface.errors import ClosedObjectError
from efface.include_closed_block import in_block, include_closed, this_block

LOADED_IN = "_efface_loaded_in"
"""An attribute of an instance's state: the `include_closed` block in which it was loaded."""

FORGOTTEN = "_efface_forgot"
"""An attribute of an instance's state: Efface removed its values when it closed the account."""

DELETED_AT_LATER = "_efface_tombstone_later"
"""An attribute of an instance's state: it loaded ``deleted_at`` later than its other values."""


def guard_model_methods(users: UserRows) -> None:
    """Wrap the methods with which an instance reads and writes rows of users."""
    guards: dict[str, Callable[[UserRows, Any, Any], Any]] = {
        "from_db": _record_block,
        "_do_update": _guard_update,
        "delete": _guard_delete,
        "refresh_from_db": _refresh_with_closed,
    }
    guarded: list[Any] = []
    for model in users.models():
        for name, guard in guards.items():
            # A subclass inherits the wrapped method of its parent. Wrapping it twice would check
            # twice.
            if not any(getattr_static(model, name) is method for method in guarded):
                setattr(model, name, guard(users, model, getattr_static(model, name)))
                guarded.append(getattr_static(model, name))
    user_model: Any = users.model
    is_authenticated = getattr(user_model, "is_authenticated", None)
    if isinstance(is_authenticated, property):
        user_model.is_authenticated = _require_open(users, is_authenticated)


def forget(user: Any) -> None:
    """Drop the loaded values of *user*, whose account was just closed.

    Django loads each field again when you next read it. `save` does not write a field that is not
    loaded, so the erased values cannot be written back.
    """
    if not isinstance(user, Model):
        return
    for field in user._meta.concrete_fields:
        if not field.primary_key:
            user.__dict__.pop(field.attname, None)
    user._state.fields_cache.clear()
    user.__dict__.pop("_prefetched_objects_cache", None)
    setattr(user._state, FORGOTTEN, True)


def _record_block(_users: UserRows, _model: Any, original: Any) -> Any:
    @wraps(original.__func__)
    def from_db(cls: Any, *arguments: Any, **options: Any) -> Any:
        found = original.__func__(cls, *arguments, **options)
        setattr(found._state, LOADED_IN, this_block())
        return found

    return classmethod(from_db)


def _guard_update(users: UserRows, _model: Any, original: Any) -> Any:
    @wraps(original)
    def update(self: Any, rows: Any, using: Any, key: Any, *arguments: Any, **options: Any) -> Any:
        table = rows.model
        if not users.has_rows_in(table):
            return original(self, rows, using, key, *arguments, **options)
        if in_block() and not _has_current_values(users, self, table):
            # The instance has values from before the closure. Saving them would restore the erased
            # values and reopen the account.
            rows = without_closed(rows)
        found = original(self, rows, using, key, *arguments, **options)
        # No row was updated. Either it does not exist, and Django inserts it, or the account
        # is closed.
        if not found and users.has_closed(table, [key], using):
            raise ClosedObjectError(users.model._meta.label, "save()")
        return found

    return update


def _has_current_values(users: UserRows, instance: Any, table: Any) -> bool:
    """Return whether *instance* was loaded after the closure, so that Django may save it."""
    state, deleted_at = instance._state.__dict__, users.deleted_at.attname
    if FORGOTTEN in state:
        # If its `deleted_at` was read again and is NULL, the closure was rolled back.
        return instance.__dict__.get(deleted_at, instance) is not None
    if deleted_at in instance.__dict__ and DELETED_AT_LATER not in state:
        is_child = table is not users.model and issubclass(table, users.model)
        # A fixture (loaddata) has the row of a subclass without the column of the parent model.
        is_fixture = is_child and instance._state.adding
        return is_fixture or instance.__dict__[deleted_at] is not None
    # A parent model does not have the column, and only() may not load it. Then the instance
    # must come from the block that is open now.
    return state.get(LOADED_IN) is this_block()


def _guard_delete(users: UserRows, model: Any, original: Any) -> Any:
    @wraps(original)
    def delete(self: Any, *arguments: Any, **options: Any) -> Any:
        using = (arguments or (options.get("using"),))[0]
        alias = using or router.db_for_write(type(self), instance=self)
        key = getattr(self, model._meta.pk.attname)
        # Check before Django starts, because it deletes the rows that refer to the user first.
        if key is not None and not in_block() and users.has_closed(model, [key], alias):
            raise ClosedObjectError(users.model._meta.label, "delete()")
        return original(self, *arguments, **options)

    return delete


def _refresh_with_closed(users: UserRows, _model: Any, original: Any) -> Any:
    @wraps(original)
    def refresh(
        self: Any, using: Any = None, fields: Any = None, *arguments: Any, **options: Any
    ) -> None:
        named_fields = None if fields is None else set(fields)
        # The code already has the instance. Deferred fields and ``.email`` of a post's author load
        # through this method too, and must work for a closed account.
        with include_closed():
            original(self, using, named_fields, *arguments, **options)
        state = self._state.__dict__
        if named_fields is None:
            state[LOADED_IN] = this_block()
            state.pop(DELETED_AT_LATER, None)
        elif users.deleted_at.attname in named_fields:
            state[DELETED_AT_LATER] = True

    return refresh


def _require_open(users: UserRows, original: property) -> property:
    def is_authenticated(self: Any) -> bool:
        """Return whether the user is logged in. A closed account never is, whatever its token."""
        # This loads the column if it is not loaded, as after `forget`.
        is_closed = getattr(self, users.deleted_at.attname) is not None
        return bool(original.__get__(self)) and not is_closed

    return property(is_authenticated)
