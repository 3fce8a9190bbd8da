"""Keep an object valid that refers to a closed account, in its model, form and serializer.

A row that already refers to a closed account can be saved again. No other row can start to refer
to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db.models import Exists, Field, ForeignKey, Model, OuterRef, Q, QuerySet
from django.forms import ModelChoiceField
from django.forms.models import BaseModelForm, BaseModelFormSet

from efface.django.hiding.include_closed_querysets import is_requested, with_closed
from efface.django.hiding.user_rows import UserRows
from efface.include_closed_block import include_closed


def allow_unchanged_references(users: UserRows) -> None:
    """Accept the reference to a closed account that the database already has, and no other one."""
    for field in references(users):
        field.validate = _accept_saved(field, field.validate)
    BaseModelForm.__init__ = _widen_form(users, BaseModelForm.__init__)
    # A formset adds the field for the primary key after it has made the form.
    BaseModelFormSet.add_fields = _widen_added_key(users, BaseModelFormSet.add_fields)
    if apps.is_installed("rest_framework"):
        from rest_framework.relations import RelatedField  # noqa: PLC0415  (an optional package)

        RelatedField.get_queryset = _widen_related_field(users, RelatedField.get_queryset)


def references(users: UserRows) -> Iterator[Any]:
    """Yield each foreign key to a row of a user."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            if isinstance(field, ForeignKey) and users.has_rows_in(field.related_model):
                yield field


def _accept_saved(field: Any, original: Any) -> Any:
    @wraps(original)
    def validate(value: Any, instance: Any) -> None:
        try:
            original(value, instance)
        except ValidationError:
            # Only now, so a reference to an open account costs no further query.
            if not _is_saved_value(field, value, instance):
                raise
            with include_closed():
                original(value, instance)

    return validate


def _is_saved_value(field: Any, value: Any, instance: Any) -> bool:
    """Return whether the row of *instance* has this *value* in the database."""
    if not isinstance(instance, Model) or instance._state.adding:
        return False
    rows = with_closed(field.model._base_manager.using(instance._state.db))
    return bool(rows.filter(pk=instance.pk, **{field.attname: value}).exists())


def _widen_form(users: UserRows, original: Any) -> Any:
    @wraps(original)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807  (wraps it)
        original(self, *arguments, **options)
        _widen(users, self, self.fields)

    return __init__


def _widen_added_key(users: UserRows, original: Any) -> Any:
    @wraps(original)
    def add_fields(self: Any, form: Any, index: Any) -> None:
        before = dict(form.fields)
        original(self, form, index)
        added = [name for name, field in form.fields.items() if before.get(name) is not field]
        _widen(users, form, added)

    return add_fields


def _widen(users: UserRows, form: Any, names: Iterable[str]) -> None:
    """Make the fields with these *names* accept the user that the form's row refers to."""
    for name in names:
        field = form.fields[name]
        if isinstance(field, ModelChoiceField) and _can_be_widened(users, field.queryset):
            current = _find_current(form.instance, name)
            if current is not None:
                field.queryset = _filter_open_or(users, field.queryset, current)


def _widen_related_field(users: UserRows, original: Any) -> Any:
    @wraps(original)
    def get_queryset(self: Any) -> Any:
        found = original(self)
        if self.parent is None or not _can_be_widened(users, found):
            return found
        *path, name = self.source.split(".")
        instance = _follow(_find_instance(self.parent), path)
        # A serializer of many rows has a queryset as its instance. It only reads, so the choices
        # do not matter, and widening them would cost a query for each row.
        current = _find_current(instance, name) if isinstance(instance, Model) else None
        return found if current is None else _filter_open_or(users, found, current)

    return get_queryset


def _find_instance(serializer: Any) -> Any:
    """Return the object that *serializer* writes to, or None if it is unknown.

    A nested serializer has no instance. Its object is an attribute of the parent's object, as when
    REST framework reads it.
    """
    instance = getattr(serializer, "instance", None)
    if instance is not None or serializer.parent is None:
        return instance
    return _follow(_find_instance(serializer.parent), serializer.source_attrs)


def _follow(instance: Any, path: Iterable[str]) -> Any:
    """Return what *instance* has at the end of *path*, or None if a name is missing."""
    try:
        for name in path:
            instance = instance[name] if isinstance(instance, Mapping) else getattr(instance, name)
    except (AttributeError, KeyError, ObjectDoesNotExist):
        return None
    return instance


def _can_be_widened(users: UserRows, queryset: Any) -> bool:
    """Return whether *queryset* returns users, and accepts one more condition."""
    # REST framework accepts any object that has a method `get`.
    if not isinstance(queryset, QuerySet) or _is_open(users, queryset.model) is None:
        return False
    # Django cannot filter a sliced or combined queryset.
    query = queryset.query
    return not (is_requested(query) or query.is_sliced or query.combinator)


def _is_open(users: UserRows, model: type[Model]) -> Q | Exists | None:
    """Return the condition for open accounts, or None if rows of *model* are not users."""
    if not users.has_rows_in(model):
        return None
    is_empty = f"{users.deleted_at.name}__isnull"
    if any(field.name == users.deleted_at.name for field in model._meta.fields):
        return Q(**{is_empty: True})
    # The table of a parent model does not have the column. It is in the row of the user model.
    link = users.model._meta.get_ancestor_link(model._meta.concrete_model)
    if link is None:
        return None
    closed = users.model._base_manager.filter(**{link.attname: OuterRef("pk"), is_empty: False})
    return ~Exists(with_closed(closed))


def _find_current(instance: Any, name: str) -> Q | None:
    """Return the condition for the row that *instance* refers to by the field *name*, or None."""
    try:
        field: Field[Any, Any] = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    value = getattr(instance, getattr(field, "attname", name), None)
    if instance._state.adding or value is None or not isinstance(field, ForeignKey):
        return None
    return Q(**{field.target_field.name: value})


def _filter_open_or(users: UserRows, queryset: Any, current: Q) -> Any:
    return with_closed(queryset).filter(_is_open(users, queryset.model) | current)
