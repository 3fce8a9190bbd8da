"""Prepare the demo's site, and show the story the internals of it."""

from datetime import datetime
from typing import Any

from django.core.management import call_command
from django.db import connection, connections

from efface import Plan, Receipt
from efface.django import plan
from garden.demo_story import say
from garden.mailer import Mailbox
from garden.sample_data import ADA, ADA_ID, MEMBERS
from garden_django.accounts.users import anonymize_user, list_closed
from garden_django.app_state import now, state
from garden_django.groups import find_member
from garden_django.sample_data import plant


def prepare() -> None:
    """Run the migrations, and add the sample data."""
    call_command("check")
    call_command("migrate", verbosity=0)
    plant(now=now())
    say(f"Added {MEMBERS} members with plots, posts, orders and invoices. One of them is {ADA}.\n")


def logins() -> tuple[str | None, str | None]:
    """Return the login to try, and one whose account has a blocker."""
    found = [find_member(is_blocked=is_blocked) for is_blocked in (False, True)]
    free, blocked = (member.email if member else None for member in found)
    return free, blocked


def finish() -> None:
    """Wait for background tasks, and close the connections of this thread."""
    state.wait_until_done()
    connections.close_all()


class SiteInternals:
    """The site's internals, which the story compares with its pages."""

    @property
    def mailbox(self) -> Mailbox:
        """The emails that the site has sent."""
        return state.mailer

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""
        return plan(ADA_ID)

    def receipt(self) -> Receipt:
        """Wait until her account closure is finalized, and return its receipt."""
        state.wait_until_done()
        return anonymize_user(ADA_ID, actor="the story")

    def left(self) -> list[datetime]:
        """Return when members deleted their accounts."""
        return list_closed()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the database directly, so that no filter hides closed accounts."""
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
