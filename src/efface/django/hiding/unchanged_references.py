"""References that nobody touches: an object stays valid, its form or serializer keeps the author.

Whoever has left can be referred to no more, except by a row that does so already.
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

from efface.django.hiding.include_closed_querysets import asking, is_asked_for
from efface.django.hiding.user_rows import People
from efface.include_closed_block import include_closed


def keep_untouched(people: People) -> None:
    """Let references to people be valid as they stand in the database, and no others."""
    for field in references(people):
        field.validate = _as_saved(field, field.validate)
    BaseModelForm.__init__ = _with_current(people, BaseModelForm.__init__)
    # A formset gives its forms one more field, for the key of the row, once they are made.
    BaseModelFormSet.add_fields = _with_current_key(people, BaseModelFormSet.add_fields)
    if apps.is_installed("rest_framework"):
        from rest_framework.relations import RelatedField  # noqa: PLC0415  (not everybody has it)

        RelatedField.get_queryset = _or_current(people, RelatedField.get_queryset)


def references(people: People) -> Iterator[Any]:
    """Yield every foreign key that leads to a person's row."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            if isinstance(field, ForeignKey) and people.is_here(field.related_model):
                yield field


def _as_saved(field: Any, original: Any) -> Any:
    @wraps(original)
    def validate(value: Any, instance: Any) -> None:
        try:
            original(value, instance)
        except ValidationError:
            if not _stands_there(field, value, instance):
                raise
            with include_closed():
                original(value, instance)

    return validate


def _stands_there(field: Any, value: Any, instance: Any) -> bool:
    """Tell whether the row of *instance* has this *value* in the database."""
    if not isinstance(instance, Model) or instance._state.adding:
        return False
    rows = asking(field.model._base_manager.using(instance._state.db))
    return bool(rows.filter(pk=instance.pk, **{field.attname: value}).exists())


def _with_current(people: People, original: Any) -> Any:
    @wraps(original)
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: N807  (wraps it)
        original(self, *arguments, **options)
        _widen(people, self, self.fields)

    return __init__


def _with_current_key(people: People, original: Any) -> Any:
    @wraps(original)
    def add_fields(self: Any, form: Any, index: Any) -> None:
        before = dict(form.fields)
        original(self, form, index)
        added = [name for name, field in form.fields.items() if before.get(name) is not field]
        _widen(people, form, added)

    return add_fields


def _widen(people: People, form: Any, names: Iterable[str]) -> None:
    """Let the fields with these *names* take whomever the row of *form* refers to."""
    for name in names:
        field = form.fields[name]
        if isinstance(field, ModelChoiceField) and _can_be_widened(people, field.queryset):
            current = _current(form.instance, name)
            if current is not None:
                field.queryset = _open_or(people, field.queryset, current)


def _or_current(people: People, original: Any) -> Any:
    @wraps(original)
    def get_queryset(self: Any) -> Any:
        found = original(self)
        if self.parent is None or not _can_be_widened(people, found):
            return found
        *way, name = self.source.split(".")
        instance = _at(_row(self.parent), way)
        # Several rows are serialized to be read: what they refer to is not looked for.
        current = _current(instance, name) if isinstance(instance, Model) else None
        return found if current is None else _open_or(people, found, current)

    return get_queryset


def _row(serializer: Any) -> Any:
    """Return the object that *serializer* writes into, or None where that is not known.

    A nested one is given none: its own is where the one above has it, as when it is read.
    """
    instance = getattr(serializer, "instance", None)
    if instance is not None or serializer.parent is None:
        return instance
    return _at(_row(serializer.parent), serializer.source_attrs)


def _at(instance: Any, way: Iterable[str]) -> Any:
    """Return what *instance* has at the end of this *way*, if anything."""
    try:
        for name in way:
            instance = instance[name] if isinstance(instance, Mapping) else getattr(instance, name)
    except (AttributeError, KeyError, ObjectDoesNotExist):
        return None
    return instance


def _can_be_widened(people: People, queryset: Any) -> bool:
    """Tell whether *queryset* is one of people who are here, and can take one more condition."""
    # REST framework takes whatever has a method `get`.
    if not isinstance(queryset, QuerySet) or _is_open(people, queryset.model) is None:
        return False
    query = queryset.query
    return not (is_asked_for(query) or query.is_sliced or query.combinator)


def _is_open(people: People, model: type[Model]) -> Q | Exists | None:
    """Return the condition that a row of *model* is of nobody who has left, if it is of people."""
    if not people.is_here(model):
        return None
    is_empty = f"{people.deleted_at.name}__isnull"
    if any(field.name == people.deleted_at.name for field in model._meta.fields):
        return Q(**{is_empty: True})
    # An ancestor's table has no tombstone: it is in the row of its descendant.
    link = people.model._meta.get_ancestor_link(model._meta.concrete_model)
    if link is None:
        return None
    left = people.model._base_manager.filter(**{link.attname: OuterRef("pk"), is_empty: False})
    return ~Exists(asking(left))


def _current(instance: Any, name: str) -> Q | None:
    """Return the condition that tells whom *instance* refers to by the field *name*, if anybody."""
    try:
        field: Field[Any, Any] = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    value = getattr(instance, getattr(field, "attname", name), None)
    if instance._state.adding or value is None or not isinstance(field, ForeignKey):
        return None
    return Q(**{field.target_field.name: value})


def _open_or(people: People, queryset: Any, current: Q) -> Any:
    return asking(queryset).filter(_is_open(people, queryset.model) | current)
