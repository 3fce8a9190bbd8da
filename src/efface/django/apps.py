"""The application: ``INSTALLED_APPS += ["efface.django"]``."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register


class EffaceConfig(AppConfig):
    """Efface in Django, under the label ``efface``."""

    name = "efface.django"
    label = "efface"
    verbose_name = "Efface"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hide closed accounts, end their sockets, have `manage.py check` look at the policy."""
        from efface.django.checks import check_policy  # noqa: PLC0415  # models are loaded now
        from efface.django.hiding import install  # noqa: PLC0415  # as above
        from efface.django.logins import follow_logins  # noqa: PLC0415  # as above

        register(check_policy, "efface")
        install()
        follow_logins()
        if getattr(settings, "CHANNEL_LAYERS", None):
            from efface.django.sockets import follow_closings  # noqa: PLC0415  # needs Channels

            follow_closings()
