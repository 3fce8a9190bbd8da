"""What the site was told and works with: settings, clock, mailer, counters, errands.

Everything asks `state` when it needs one of them and keeps none, so that a test may replace any.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from garden.accounts.attempt_limits import AttemptLimits
from garden.mailer import Mailbox, Mailer
from garden.site_settings import Settings
from garden_django.background_tasks import BackgroundTasks


@dataclass
class AppState:
    """The state of this process."""

    settings: Settings
    mailer: Mailer
    attempt_limits: AttemptLimits
    clock: Callable[[], datetime] = timezone.now
    background_tasks: BackgroundTasks = field(default_factory=BackgroundTasks)

    def wait_until_done(self) -> None:
        """Wait until everything is done that follows answers and closings."""
        self.background_tasks.wait_until_done()


def now() -> datetime:
    """Return the current time in UTC."""
    return state.clock()


state = AppState(settings.GARDEN, Mailbox(now), AttemptLimits(settings.GARDEN, now))
