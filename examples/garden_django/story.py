"""Ada closes her account on Django, through a real server, and every step is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from django.core import mail
from django.db import connection
from httpx import HTTPError, codes

from efface.django import plan
from efface.django.closing import receipts
from garden.community import ADA, ADA_EMAIL, ADA_ID, GRACE_EMAIL, PASSWORD
from garden.devices import Device
from garden.story import LEFT_TO_OTHERS, StoryError, before_and_after, described, searched
from garden_django.models import User

SHOWN = ("id", "email", "name", "password", "confirmed_at", "deleted_at")
CLOSE = "/users/settings/close"


@dataclass
class Story:
    """The laptop, the phone, the database, and somebody who tells what happens."""

    address: str
    say: Callable[[str], None]

    def tell(self) -> None:
        """Tell the story from log-in to farewell.

        Raises:
            StoryError: a step went wrong; the message says which and how.
        """
        laptop, phone = Device(self.address), Device(self.address)
        try:
            self.say(f"{ADA} has a laptop and a phone.\n")
            self.arrives(laptop, phone)
            before, shared = self.row(), self.shared()
            self.leaves(laptop)
            self.is_gone_from(phone)
            self.cannot_come_back()
            self.left_behind(before, shared)
        except (HTTPError, LookupError) as error:
            found = f"{type(error).__name__}: {error}"
            raise StoryError(f"  ✗ The story ends here, unexpectedly.\n    {found}") from error
        finally:
            laptop.close()
            phone.close()

    def arrives(self, laptop: Device, phone: Device) -> None:
        answer = laptop.log_in(ADA_EMAIL, PASSWORD)
        self.step(answer.is_redirect, "signs in on the laptop", answer)
        answer = phone.log_in(ADA_EMAIL, PASSWORD, remember_me="true")
        kept = any(cookie.expires for cookie in phone.http.cookies.jar if "session" in cookie.name)
        self.step(kept, "signs in on the phone, and stays signed in there", answer)
        answer = laptop.open("/users/settings")
        asked = "Do you want to close your account?" in answer.text
        self.step(asked, "opens her settings: “Do you want to close your account?”", answer)

    def leaves(self, laptop: Device) -> None:
        """Ada confirms; first the plan."""
        self.say(f"\n{indent(plan(ADA_ID).explain(), ' ' * 6)}\n")
        answer = laptop.send(CLOSE, current_password=PASSWORD, confirm="yes")
        is_led = answer.status_code == codes.SEE_OTHER and answer.headers["location"] == "/"
        self.step(is_led, "confirms with her password, and is led to the start page", answer)
        answer = laptop.open("/")
        farewell = "Your account is closed" in answer.text and "Log in" in answer.text
        self.step(farewell, "reads there that her account is closed", answer)

    def is_gone_from(self, phone: Device) -> None:
        answer = phone.open("/users/settings")
        self.step(answer.is_redirect, "the phone is signed out too", answer)
        kept = any("session" in name for name in phone.http.cookies)
        self.step(not kept, "and its cookies are cleaned up")

    def cannot_come_back(self) -> None:
        """Neither the old password nor a mail opens the account again."""
        stranger = Device(self.address)
        answer = stranger.log_in(ADA_EMAIL, PASSWORD)
        self.step(
            answer.status_code == codes.UNPROCESSABLE_ENTITY, "the old password is refused", answer
        )
        for email in (ADA_EMAIL, GRACE_EMAIL):
            stranger.open("/users/reset_password")
            answer = stranger.send("/users/reset_password", email=email)
        to = [address for each in mail.outbox for address in each.to]
        self.step(to == [GRACE_EMAIL], "no mail to reset it is sent to her", answer)
        stranger.close()

    def left_behind(self, before: dict[str, Any], shared: dict[str, int]) -> None:
        """What the others have stays whole; what named her is gone; when she left is known."""
        now = self.shared()
        kept = f"her {now['posts']} posts and {now['invoices']} invoices are still there"
        self.step(now == shared, kept, now)
        self.step(not self.rows("PRAGMA foreign_key_check"), "every foreign key is intact")
        after = self.row()
        self.say("\n" + before_and_after(before, after) + "\n")
        changed = after["email"].endswith("@users.invalid") and after["deleted_at"]
        self.step(bool(changed) and after["id"] == ADA_ID, "her row names nobody", list(after))
        (receipt,) = receipts()
        search = receipt.search
        self.step(search is not None and search.is_clean, searched(search), search)
        left = User.objects.include_closed().get(pk=ADA_ID).deleted_at
        self.say(f"\n{ADA} left on {left:%-d %B %Y at %H:%M:%S} UTC.")

    def step(self, holds: bool, what: str, found: object = "") -> None:
        """Say that a step has been taken, or stop where it has not."""
        if not holds:
            raise StoryError(f"  ✗ {what}\n    This is not so. Instead: {described(found)}")
        self.say(f"  ✓ {what}")

    def shared(self) -> dict[str, int]:
        """Count what refers to Ada or belongs to others."""
        return {
            what: int(self.rows(query.replace(":ada", "%(ada)s"), ada=ADA_ID)[0][0])
            for what, query in LEFT_TO_OTHERS.items()
        }

    def row(self) -> dict[str, Any]:
        """Return Ada's row as the database has it."""
        query = f"SELECT {', '.join(SHOWN)} FROM users WHERE id = %(ada)s"  # noqa: S608  # constants
        row = dict(zip(SHOWN, self.rows(query, ada=ADA_ID)[0], strict=True))
        return {**row, "password": row["password"].removeprefix("argon2")}

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all that hides closed accounts."""
        with connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())
