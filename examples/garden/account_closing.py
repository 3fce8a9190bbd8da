"""Efface's page in the garden: names of tables and columns, and the texts of blockers."""

from collections.abc import Iterable, Mapping
from typing import Any

from efface.page.blockers import Blocker

LABELS = {
    "en": {
        "users_tokens": "logins and links",
        "users.hashed_password": "password",
        "users.confirmed_at": "date of confirmation",
        "users.email": "email address",
        "posts.title": "title",
        "posts.body": "text",
        "plots": "your plot",
        "plots.holder_id": "“holder”",
        "plot_group_members": "your groups",
        "orders.note": "“note”",
    },
    "de": {
        "users_tokens": "Anmeldungen und Links",
        "users.hashed_password": "Passwort",
        "users.confirmed_at": "Datum der Bestätigung",
        "users.email": "E-Mail-Adresse",
        "users.name": "Name",
        "posts": "Beiträge",
        "posts.title": "Titel",
        "posts.body": "Text",
        "plots": "Ihr Beet",
        "plots.holder_id": "„Inhaber“",
        "plot_group_members": "Ihre Gruppen",
        "orders": "Bestellungen",
        "orders.note": "„Notiz“",
        "invoices": "Rechnungen",
        "tax law": "Steuerrecht",
    },
}


def labels_in(language: str) -> Mapping[str, str]:
    """Return the names of tables and columns on Efface's page, in one language."""
    return LABELS.get(language, LABELS["en"])


def to_blockers(groups: Iterable[Any]) -> list[Blocker]:
    """Return a blocker for each group that the member is the last organizer of."""
    return [Blocker(_last_organizer_of(group.name), f"/groups/{group.id}") for group in groups]


def _last_organizer_of(name: str) -> Mapping[str, str]:
    return {
        "en": f"You are the last organizer of {name}.",
        "de": f"Außer Ihnen organisiert niemand {name}.",
    }
