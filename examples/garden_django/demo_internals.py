"""The garden behind its pages: how it is made, and what the story looks at there."""

from datetime import datetime
from typing import Any

from django.core.management import call_command
from django.db import connection

from efface import Plan, Receipt
from efface.django import plan
from garden.demo_story import say
from garden.mailer import Mailbox
from garden.sample_data import ADA, ADA_ID, MEMBERS
from garden_django.accounts.users import anonymize_user, list_closed
from garden_django.app_state import now, state
from garden_django.sample_data import plant


def prepare() -> None:
    """Create the tables through the migrations, and let the community move in."""
    call_command("check")
    call_command("migrate", verbosity=0)
    plant(now=now())
    say(f"{MEMBERS} members with plots, posts, orders and invoices have moved in; {ADA} is one.\n")


class SiteInternals:
    """What the story looks at behind the pages."""

    @property
    def mailbox(self) -> Mailbox:
        """The mails that were sent."""
        return state.mailer

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""
        return plan(ADA_ID)

    def receipt(self) -> Receipt:
        """Return the receipt of her closing, when all is done that follows it."""
        state.wait_until_done()
        return anonymize_user(ADA_ID, actor="the story")

    def left(self) -> list[datetime]:
        """Return when people left."""
        return list_closed()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all that hides closed accounts."""
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
