"""The paths of the other garden, and what answers them."""

from django.urls import include, path
from django.views.static import serve

from garden_django.settings import OF_THE_GARDEN
from garden_django.views import (
    account_settings,
    developer_pages,
    email_confirmation,
    groups,
    home,
    login,
    password_reset,
    registration,
)

STATIC = {"document_root": OF_THE_GARDEN / "static"}

urlpatterns = [
    path("", home.home),
    path("members", home.members),
    path("posts", home.write),
    path("plots/pick", home.pick),
    path("groups/<int:group_id>", groups.show),
    path("groups/<int:group_id>/organizers", groups.add_organizer),
    path("users/register", registration.register),
    path("users/confirm", email_confirmation.ask_to_confirm),
    path("users/confirm/<token>", email_confirmation.confirm),
    path("users/log_in", login.log_in),
    path("users/log_in/<token>", login.look),
    path("users/log_out", login.log_out),
    path("users/reset_password", password_reset.ask_to_reset),
    path("users/reset_password/<token>", password_reset.reset),
    path("users/settings", account_settings.settings),
    path("users/settings/confirm_email/<token>", account_settings.confirm_email),
    # The page of Efface, the section on the settings page and their style sheet.
    path("users/settings/close", include("efface.django.urls")),
    path("users/closed", developer_pages.closed),
    path("dev/log_in", developer_pages.log_in),
    path("dev/mailbox", developer_pages.mailbox),
    path("dev/mailbox.json", developer_pages.mailbox_json),
    path("favicon.ico", serve, {**STATIC, "path": "leaf.svg"}),
    path("static/<path:path>", serve, STATIC),
]

handler400 = "garden_django.middleware.bad_request"
handler403 = "garden_django.middleware.forbidden"
handler404 = "garden_django.middleware.not_found"
handler500 = "garden_django.middleware.failed"
