"""Ada's browser, and what it sends to the closing page."""

import re

CLOSE = "/account/close"
PASSWORD = "runner beans and peas"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
JSON = {"HTTP_ACCEPT": "application/json"}
SITE = "tests.support.django_projects.closing_site"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def signed_in(person, **options):
    from django.test import Client

    browser = Client(**options)
    browser.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return browser


def is_open(town, person):
    return town.Person.filter(pk=person.pk, deleted_at=None).exists()
