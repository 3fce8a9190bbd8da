"""``manage.py purge_tokens``: the tokens go that nobody can use any more, each somebody's address.

To be run once an hour, by cron or whatever runs Django's own `clearsessions`.
"""

from typing import Any

from django.core.management.base import BaseCommand

from garden_django.accounts.tokens import delete_expired_tokens


class Command(BaseCommand):
    """Purge in one transaction."""

    help = "Delete log-ins and links that have expired."

    def handle(self, **_: Any) -> None:
        """Say how many there were."""
        self.stdout.write(f"{delete_expired_tokens()} tokens have expired and are gone.")
