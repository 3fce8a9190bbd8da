"""The paths of the other garden, and what answers them."""

from django.urls import include, path
from django.views.static import serve

from garden_django.settings import OF_THE_GARDEN
from garden_django.views import dev, garden, groups, log_in, passwords, registration, settings

STATIC = {"document_root": OF_THE_GARDEN / "static"}

urlpatterns = [
    path("", garden.home),
    path("members", garden.members),
    path("posts", garden.write),
    path("plots/pick", garden.pick),
    path("groups/<int:group_id>", groups.show),
    path("groups/<int:group_id>/organizers", groups.add_organizer),
    path("users/register", registration.register),
    path("users/confirm", registration.ask_to_confirm),
    path("users/confirm/<token>", registration.confirm),
    path("users/log_in", log_in.log_in),
    path("users/log_in/<token>", log_in.look),
    path("users/log_out", log_in.log_out),
    path("users/reset_password", passwords.ask_to_reset),
    path("users/reset_password/<token>", passwords.reset),
    path("users/settings", settings.settings),
    path("users/settings/confirm_email/<token>", settings.confirm_email),
    # The page of Efface, the section on the settings page and their style sheet.
    path("users/settings/close", include("efface.django.urls")),
    path("users/closed", dev.closed),
    path("dev/log_in", dev.log_in),
    path("dev/mailbox", dev.mailbox),
    path("dev/mailbox.json", dev.mailbox_json),
    path("favicon.ico", serve, {**STATIC, "path": "leaf.svg"}),
    path("static/<path:path>", serve, STATIC),
]

handler400 = "garden_django.middleware.bad_request"
handler403 = "garden_django.middleware.forbidden"
handler404 = "garden_django.middleware.not_found"
handler500 = "garden_django.middleware.failed"
