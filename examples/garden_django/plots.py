"""Picking a plot: one to a member, and the first who picks it has it."""

from django.db import transaction

from garden.live_plots import Picked
from garden_django.models import Plot, User


def list_plots() -> list[Plot]:
    """Return all plots, bed by bed."""
    return list(Plot.objects.select_related("holder").order_by("pk"))


@transaction.atomic
def pick_plot(user_id: int, label: str) -> Picked | None:
    """Give a free plot to a member, and the one they had back; nothing if it is not free."""
    # Locked, so that a member whose account is being closed can't pick a plot.
    member = User.objects.locked(user_id)
    free = Plot.objects.filter(label=label, holder=None)
    if member is None or not free.update(holder=member):
        return None
    before = Plot.objects.filter(holder=member).exclude(label=label)
    freed = before.values_list("label", flat=True).first()
    before.update(holder=None)
    return Picked(label, freed)
