"""Define the routes of the closing page.

path("account/close", include("efface.django.urls"))

Without a trailing slash, the page answers with and without one, because a redirect would lose the
data of a form. With a trailing slash, it answers only there, and its forms post there.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.urls import re_path
from django.views.decorators.common import no_append_slash

from efface.django.page import views
from efface.errors import SettingsError

# A system check cannot report this, because Django runs only the checks of installed apps.
if not apps.is_installed("efface.django"):
    raise SettingsError(
        "The closing page has routes, but its application is not installed: "
        'INSTALLED_APPS += ["efface.django"]'
    )

app_name = "efface"


def _by_itself(view: Any) -> Any:
    """Return *view* without ATOMIC_REQUESTS, so a closure is committed before the answer."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    # CommonMiddleware would redirect to the URL with a slash, and lose the data of a form.
    return no_append_slash(view)


# The project's prefix may end with a slash or not, so each pattern may begin with one.
urlpatterns = [
    re_path(r"^(?:/)?$", _by_itself(views.closing), name="close"),
    re_path(r"^(?:/)?done/?$", views.done, name="done"),
    re_path(r"^(?:/)?efface\.css/?$", views.style, name="style"),
    re_path(r"^(?:/)?efface\.js/?$", views.script, name="script"),
]
