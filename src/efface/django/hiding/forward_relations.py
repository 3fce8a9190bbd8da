"""Forward relations: ``post.author`` shows who wrote it, also when they have left."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor

from efface.django.hiding.include_closed_querysets import asking
from efface.django.hiding.user_rows import People


def show_forward(people: People) -> None:
    """Let each reference to a person load the row, closed or not."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            if field.is_relation and people.is_here(field.related_model):
                descriptor = model.__dict__.get(field.name)
                if isinstance(descriptor, ForwardManyToOneDescriptor):
                    _show(descriptor)


def _show(descriptor: Any) -> None:
    get_queryset, get_prefetch = descriptor.get_queryset, descriptor.get_prefetch_querysets

    def shown(**hints: Any) -> Any:
        return asking(get_queryset(**hints))

    def prefetched(instances: Any, querysets: Any = None) -> Any:
        return get_prefetch(instances, [asking(each) for each in querysets or ()] or None)

    descriptor.get_queryset, descriptor.get_prefetch_querysets = shown, prefetched
