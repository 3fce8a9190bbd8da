"""Show the closed account that a foreign key refers to, as in ``post.author``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor

from efface.django.hiding.include_closed_querysets import with_closed
from efface.django.hiding.user_rows import UserRows


def load_closed_forward(users: UserRows) -> None:
    """Make each foreign key and one-to-one field to a user load the row of a closed account too."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            if field.is_relation and users.has_rows_in(field.related_model):
                # Only the descriptor in the class itself: a subclass inherits the wrapped one.
                descriptor = model.__dict__.get(field.name)
                if isinstance(descriptor, ForwardManyToOneDescriptor):
                    _wrap_descriptor(descriptor)


def _wrap_descriptor(descriptor: Any) -> None:
    get_queryset, get_prefetch = descriptor.get_queryset, descriptor.get_prefetch_querysets

    def get_all(**hints: Any) -> Any:
        return with_closed(get_queryset(**hints))

    def prefetch_all(instances: Any, querysets: Any = None) -> Any:
        return get_prefetch(instances, [with_closed(each) for each in querysets or ()] or None)

    descriptor.get_queryset, descriptor.get_prefetch_querysets = get_all, prefetch_all
