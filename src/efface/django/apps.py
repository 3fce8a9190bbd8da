"""The application: ``INSTALLED_APPS += ["efface.django"]``."""

from __future__ import annotations

from django.apps import AppConfig


class EffaceConfig(AppConfig):
    """Efface in Django, under the label ``efface``."""

    name = "efface.django"
    label = "efface"
    verbose_name = "Efface"
    default_auto_field = "django.db.models.BigAutoField"
