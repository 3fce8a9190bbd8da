"""The routes of the other garden."""

from django.urls import include, path
from django.views.static import serve

from garden.web import HERE
from garden_django import accounts, garden

urlpatterns = [
    path("", garden.home),
    path("members", garden.members),
    path("posts", garden.write),
    path("plots/pick", garden.pick),
    path("groups/<int:key>", garden.group),
    path("groups/<int:key>/organizers", garden.add_organizer),
    path("users/register", accounts.register),
    path("users/log_in", accounts.log_in),
    path("users/log_out", accounts.log_out),
    path("users/confirm", accounts.ask_to_confirm),
    path("users/confirm/<token>", accounts.confirm),
    path("users/reset_password", accounts.ask_to_reset),
    path("users/reset_password/<token>", accounts.reset),
    path("users/settings", accounts.settings),
    path("users/settings/confirm_email/<token>", accounts.confirm_email),
    path("users/settings/close", include("efface.django.urls")),
    path("users/closed", garden.closed),
    path("dev/mailbox.json", garden.mailbox),
    path("static/<path:path>", serve, {"document_root": HERE / "static"}),
]
