"""Configure the Django app: ``INSTALLED_APPS += ["efface.django"]``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register
from django.db.models.signals import class_prepared

from efface.django.schema.deleted_at_field import add_deleted_at


class EffaceConfig(AppConfig):
    """The app with the label ``efface``."""

    name = "efface.django"
    label = "efface"
    verbose_name = "Efface"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, *args: Any) -> None:
        """Connect the signal that adds ``deleted_at``, before Django loads any models."""
        super().__init__(*args)
        class_prepared.connect(add_deleted_at, dispatch_uid="efface.django.schema.deleted_at_field")

    def ready(self) -> None:
        """Hide closed accounts, guard retained records, and register the system checks."""
        from efface.django import checks  # noqa: PLC0415  # models are loaded now
        from efface.django.hiding.query_filter import install  # noqa: PLC0415  # as above
        from efface.django.page.recent_logins import follow_logins  # noqa: PLC0415  # as above
        from efface.django.retained_records import guard_deletions  # noqa: PLC0415  # as above

        for check in (checks.check_policy, checks.check_transactions, checks.check_page):
            register(check, "efface")
        install()
        guard_deletions()
        follow_logins()
        if getattr(settings, "CHANNEL_LAYERS", None):
            from efface.django.channels import connect_signals  # noqa: PLC0415  # needs Channels

            connect_signals()
