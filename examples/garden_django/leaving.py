"""What the closing page says about this garden, and what has to be settled before one leaves."""

from collections.abc import Iterator, Mapping

from efface.django import Blocker
from garden_django.models import PlotGroup, PlotGroupMember, User

GERMAN = {
    "garden_django.Session": "Anmeldungen",
    "garden_django.User.password": "Passwort",
    "garden_django.User.email": "E-Mail-Adresse",
    "garden_django.Post": "Beiträge",
    "garden_django.Plot": "Ihr Beet",
    "garden_django.PlotGroupMember": "Ihre Gruppen",
    "garden_django.Order": "Bestellungen",
    "garden_django.Invoice": "Rechnungen",
    "tax law": "Steuerrecht",
}


def words(language: str) -> Mapping[str, str]:
    """Return what the models' own names do not say."""
    return GERMAN if language == "de" else {}


def blockers(user: User) -> Iterator[Blocker]:
    """Yield the groups that others would be left in without an organizer."""
    mine = PlotGroup.objects.filter(members__user=user).order_by("pk")
    # Locked before they are looked into: nobody is made organizer who is just leaving.
    for key in [group.pk for group in mine.select_for_update(of=("self",))]:
        organizers = PlotGroupMember.objects.filter(group=key, is_organizer=True)
        others = PlotGroupMember.objects.filter(group=key).exclude(user=user)
        alone = not organizers.exclude(user=user).exists()
        if alone and others.exists() and organizers.filter(user=user).exists():
            group = PlotGroup.objects.get(pk=key)
            yield Blocker(f"You are the last organizer of {group.name}.", f"/groups/{key}")
