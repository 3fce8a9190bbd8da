"""``manage.py purge_tokens``: delete expired tokens, because each can contain an email address.

To be run once an hour, by cron or whatever runs Django's own `clearsessions`.
"""

from typing import Any

from django.core.management.base import BaseCommand

from garden_django.accounts.tokens import delete_expired_tokens


class Command(BaseCommand):
    """Purge in one transaction."""

    help = "Delete expired logins and links."

    def handle(self, **_: Any) -> None:
        """Say how many there were."""
        self.stdout.write(f"{delete_expired_tokens()} expired tokens deleted.")
