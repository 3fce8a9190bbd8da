"""The town with its pages, and Ada, who is signed in."""

import pytest

from tests.django.page.ada import PASSWORD, signed_in


@pytest.fixture
def site(alias, settings_of):
    """The town with its pages; accounts close in the default database."""
    from django.test import override_settings

    from tests.support.django_projects.closing_site import SETTINGS

    with override_settings(**SETTINGS):
        yield settings_of


@pytest.fixture
def ada(site, town):
    ada = town.ada()
    ada.set_password(PASSWORD)
    ada.save()
    return ada


@pytest.fixture
def browser(site, ada):
    return signed_in(ada)
