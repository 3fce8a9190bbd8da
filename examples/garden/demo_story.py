"""Ada closes her account, through the real server, and every step is looked at.

She has a laptop and a phone. Whatever is not as it should be ends the story with a sentence.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from textwrap import indent
from time import perf_counter
from typing import Any, Protocol

from httpx import HTTPError, codes
from websockets.exceptions import WebSocketException

from efface import Plan, Receipt
from efface.live.socket_writer import LOGGED_OUT
from garden.demo_device import MIN_AGE, Device
from garden.mailer import Mailbox
from garden.sample_data import ADA, ADA_EMAIL, ADA_ID, GRACE_EMAIL, PASSWORD

SHOWN = ("id", "email", "name", "hashed_password", "confirmed_at", "deleted_at")
HER_INVOICES = f"FROM invoices JOIN orders ON orders.id = order_id WHERE user_id = {ADA_ID}"
LEFT_TO_OTHERS = {
    "posts": f"SELECT count(*) FROM posts WHERE author_id = {ADA_ID}",  # noqa: S608  # a constant
    "orders": f"SELECT count(*) FROM orders WHERE user_id = {ADA_ID}",  # noqa: S608  # a constant
    "invoices": f"SELECT count(*) {HER_INVOICES}",  # a constant
    "cents": f"SELECT sum(total_cents) {HER_INVOICES}",  # a constant
    "members": f"SELECT count(*) FROM users WHERE id <> {ADA_ID}",  # noqa: S608  # a constant
    "posts of the others": f"SELECT count(*) FROM posts WHERE author_id <> {ADA_ID}",  # noqa: S608  # a constant
}


class StoryError(Exception):
    """A step did not go as the story tells it."""


class SiteInternals(Protocol):
    """What the story looks at behind the pages, whichever framework serves them."""

    mailbox: Mailbox

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""

    def receipt(self) -> Receipt:
        """Return the receipt of her closing, when all is done that follows it."""

    def left(self) -> list[datetime]:
        """Return when people left."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all that hides closed accounts."""


@dataclass
class Story:
    """The laptop, the phone, what is behind the pages, and somebody who tells what happens."""

    internals: SiteInternals
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
            self.leaves(laptop, phone)
            self.is_told()
            self.is_gone_from(phone)
            self.cannot_come_back()
            self.left_behind(before, shared)
        except (HTTPError, WebSocketException, TimeoutError, LookupError) as error:
            found = f"{type(error).__name__}: {error}"
            raise StoryError(f"  ✗ The story ends here, unexpectedly.\n    {found}") from error
        finally:
            laptop.close()
            phone.close()

    def arrives(self, laptop: Device, phone: Device) -> None:
        """Ada signs in twice and opens her settings."""
        answer = laptop.log_in(ADA_EMAIL, PASSWORD)
        self.step(answer.is_redirect, "signs in on the laptop", answer)
        answer = phone.log_in(ADA_EMAIL, PASSWORD, remember_me="true")
        kept = any("remember_me" in name for name in phone.http.cookies)
        self.step(kept, "signs in on the phone, and stays signed in there", answer)
        answer = laptop.open("/users/settings")
        asked = "Do you want to close your account?" in answer.text
        self.step(asked, "opens her settings: “Do you want to close your account?”", answer)
        phone.open("/")
        laptop.connect()
        phone.connect()
        self.step(True, "has both pages open, each with its live socket")

    def leaves(self, laptop: Device, phone: Device) -> None:
        """Ada confirms; the plan, the event, and what the server pushes back."""
        self.say(f"\n{indent(self.internals.plan().explain(), ' ' * 6)}\n")
        with ThreadPoolExecutor(1) as beside:
            end = beside.submit(phone.listen_to_the_end)
            clicked = perf_counter()
            laptop.push("anonymize", current_password=PASSWORD, confirm="yes")
            self.step(True, "confirms with her password: “anonymize” goes over the socket")
            ack = laptop.hear()
            self.step(ack.get("status") == "ok", "it is committed, and the server says ok", ack)
            pushed = laptop.hear()
            is_logout = pushed.get("event") == "logout" and pushed["payload"] == {"to": "/"}
            self.step(is_logout, "the server pushes “logout” to the laptop", pushed)
            token = {"X-CSRF-Token": laptop.token}
            answer = laptop.http.delete("/users/log_out", headers=token)
            self.step(
                answer.status_code == codes.NO_CONTENT,
                "the laptop sends DELETE /users/log_out",
                answer,
            )
            answer = laptop.open(pushed["payload"]["to"])
            farewell = answer.status_code == codes.OK and "Log in" in answer.text
            self.step(farewell, "and goes to the start page, signed out", answer)
            heard, code, ended = end.result(MIN_AGE)
        told = [message.get("event") for message in heard] == ["logout"] and code == LOGGED_OUT
        milliseconds = (ended - clicked) * 1000
        self.step(told, f"the phone's socket ended {milliseconds:.0f} ms after the click", heard)

    def is_told(self) -> None:
        """One mail goes to the address she had, which is no longer in her row."""
        mail = self.internals.mailbox.wait_for(ADA_EMAIL)
        told = "What is kept" in mail.text and "invoices until" in mail.text
        self.step(told, "a mail to the address she had says what was kept, and until when", mail)

    def is_gone_from(self, phone: Device) -> None:
        """The phone's cookies are worth nothing any more."""
        answer = phone.open("/users/settings")
        self.step(answer.is_redirect, "the phone is signed out too", answer)
        kept = any("remember_me" in name for name in phone.http.cookies)
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
        # Grace's mail was asked for later, so when it is there Ada's would be, too.
        self.internals.mailbox.wait_for(GRACE_EMAIL)
        mails = self.internals.mailbox.to(ADA_EMAIL)
        self.step(len(mails) == 1, "no mail to reset it is sent to her", answer)
        stranger.close()

    def left_behind(self, before: dict[str, Any], shared: dict[str, int]) -> None:
        """What the others have stays whole; what named her is gone; when she left is known."""
        now = self.shared()
        kept = f"her {now['posts']} posts and {now['invoices']} invoices are still there"
        self.step(now == shared, kept, now)
        broken = self.internals.rows("PRAGMA foreign_key_check")
        self.step(not broken, "every foreign key is intact", broken)
        after = self.row()
        self.say("\n" + before_and_after(before, after) + "\n")
        changed = after["email"].endswith("@users.invalid") and after["deleted_at"]
        self.step(bool(changed) and after["id"] == ADA_ID, "her row names nobody", list(after))
        search, left = self.internals.receipt().search, self.internals.left()
        self.step(search is not None and search.is_clean, searched(search), search)
        self.step(len(left) == 1, "it is known when she left", left)
        self.say(f"\n{ADA} left on {left[0]:%-d %B %Y at %H:%M:%S} UTC.")

    def step(self, holds: bool, what: str, found: object = "") -> None:
        """Say that a step has been taken, or stop where it has not."""
        if not holds:
            raise StoryError(f"  ✗ {what}\n    This is not so. Instead: {described(found)}")
        self.say(f"  ✓ {what}")

    def shared(self) -> dict[str, int]:
        """Count what refers to Ada or belongs to others."""
        rows = self.internals.rows
        return {what: int(rows(query)[0][0]) for what, query in LEFT_TO_OTHERS.items()}

    def row(self) -> dict[str, Any]:
        """Return Ada's row as the database has it."""
        query = f"SELECT {', '.join(SHOWN)} FROM users WHERE id = {ADA_ID}"  # noqa: S608  # constants
        return dict(zip(SHOWN, self.internals.rows(query)[0], strict=True))


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def invite(address: str) -> None:
    """Say how to go on from here."""
    say(
        f"\nNow you:  {address}"
        f"\n  log in    {GRACE_EMAIL} · {PASSWORD}"
        f"\n  mailbox   {address}/dev/mailbox"
        "\n  Ctrl+C ends it."
    )


def before_and_after(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the two rows side by side."""
    lines = [("users", "before", "after")]
    lines += [(name, shown(before[name]), shown(after[name])) for name in before]
    return "\n".join(f"      {name:<17}{old:<28}{new}".rstrip() for name, old, new in lines)


def shown(value: Any) -> str:
    """Return a value as a table shows it."""
    found = "NULL" if value is None else str(value).removesuffix(".000000")
    return found if "$argon2" not in found else f"{found[:20]}…"


def searched(search: Any) -> str:
    """Return the result of the search in one line."""
    if search is None:
        return "the whole database was searched for her"
    return f"searched {search.tables} tables, {search.columns} columns: clean"


def described(found: object) -> str:
    """Return what was found, short enough for a terminal."""
    status = getattr(found, "status_code", None)
    return f"an answer with status {status}" if status else str(found)[:300]
