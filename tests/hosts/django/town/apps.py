from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.hosts.django.town"
    label = "town"
    default_auto_field = "django.db.models.BigAutoField"
