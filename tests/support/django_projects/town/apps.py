from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.support.django_projects.town"
    label = "town"
    default_auto_field = "django.db.models.BigAutoField"
