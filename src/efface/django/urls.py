"""The closing page: ``path("account/close", include("efface.django.urls"))``.

Written without a slash at its end, it answers with and without one: a redirect would lose what a
form has sent. Written with one, it answers only there, and our forms are sent there.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.urls import re_path
from django.views.decorators.common import no_append_slash

from efface.django.page import views
from efface.errors import SettingsError

# Here, because an application that is not installed has no checks.
if not apps.is_installed("efface.django"):
    raise SettingsError(
        "The closing page has routes, and its application is not installed: "
        'INSTALLED_APPS += ["efface.django"]'
    )

app_name = "efface"


def _by_itself(view: Any) -> Any:
    """Return *view* without a transaction around it: a closing is committed before the answer."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return no_append_slash(view)


urlpatterns = [
    re_path(r"^(?:/)?$", _by_itself(views.closing), name="close"),
    re_path(r"^(?:/)?done/?$", views.done, name="done"),
    re_path(r"^(?:/)?efface\.css/?$", views.style, name="style"),
    re_path(r"^(?:/)?efface\.js/?$", views.script, name="script"),
]
