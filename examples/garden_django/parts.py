"""What the site was told and works with: settings, clock, mailer, counters, errands.

Everything asks `parts` when it needs one of them and keeps none, so that a test may replace any.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from garden.accounts.tries import Tries
from garden.mail import Mailbox, Mailer
from garden.settings import Settings
from garden_django.errands import Errands


@dataclass
class Parts:
    """The parts of this process."""

    settings: Settings
    mailer: Mailer
    tries: Tries
    clock: Callable[[], datetime] = timezone.now
    errands: Errands = field(default_factory=Errands)

    def finalized(self) -> None:
        """Wait until everything is done that follows answers and closings."""
        self.errands.finalized()


def now() -> datetime:
    """Return the current time in UTC."""
    return parts.clock()


parts = Parts(settings.GARDEN, Mailbox(now), Tries(settings.GARDEN, now))
