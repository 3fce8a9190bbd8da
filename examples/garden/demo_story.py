"""The demo's story: Ada deletes her account through the real server, and each step is checked.

She has a laptop and a phone. The story stops at the first step that fails and says why.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from textwrap import indent
from time import perf_counter
from typing import Any, Protocol

from httpx import HTTPError, codes
from websockets.exceptions import WebSocketException

from efface import Plan, Receipt
from efface.live.socket_writer import LOGGED_OUT
from garden.demo_device import MIN_AGE, Device, Heard
from garden.mailer import Mailbox
from garden.sample_data import ADA, ADA_EMAIL, ADA_ID, GRACE_EMAIL, PASSWORD

CLOSE = "/users/settings/close"
SHOWN = ("id", "email", "name", "hashed_password", "confirmed_at", "deleted_at")
HER_INVOICES = f"FROM invoices JOIN orders ON orders.id = order_id WHERE user_id = {ADA_ID}"
UNCHANGED = {
    "posts": f"SELECT count(*) FROM posts WHERE author_id = {ADA_ID}",  # noqa: S608  # a constant
    "orders": f"SELECT count(*) FROM orders WHERE user_id = {ADA_ID}",  # noqa: S608  # a constant
    "invoices": f"SELECT count(*) {HER_INVOICES}",  # a constant
    "cents": f"SELECT sum(total_cents) {HER_INVOICES}",  # a constant
    "members": f"SELECT count(*) FROM users WHERE id <> {ADA_ID}",  # noqa: S608  # a constant
    "posts of the others": f"SELECT count(*) FROM posts WHERE author_id <> {ADA_ID}",  # noqa: S608  # a constant
}


class StoryError(Exception):
    """A step failed."""


class SiteInternals(Protocol):
    """The site's internals, which the story compares with its pages."""

    mailbox: Mailbox

    def plan(self) -> Plan:
        """Return what closing Ada's account would do now."""

    def receipt(self) -> Receipt:
        """Wait until her account closure is finalized, and return its receipt."""

    def left(self) -> list[datetime]:
        """Return when members deleted their accounts."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the database directly, so that no filter hides closed accounts."""


@dataclass
class Story:
    """Ada's story on her two devices; *say* prints each step."""

    internals: SiteInternals
    address: str
    say: Callable[[str], None]

    def tell(self) -> None:
        """Tell the story from the first login to the deleted account.

        Raises:
            StoryError: a step failed. The message says which one, and how.
        """
        laptop, phone = Device(self.address), Device(self.address)
        try:
            self.say(f"{ADA} has a laptop and a phone.\n")
            self.logs_in(laptop, phone)
            before, shared = self.row(), self.shared()
            self.deletes_account(laptop, phone)
            self.gets_email()
            self.is_logged_out_on(phone)
            self.cannot_log_in()
            self.leaves_no_trace(before, shared)
        except (HTTPError, WebSocketException, TimeoutError, LookupError) as error:
            found = f"{type(error).__name__}: {error}"
            raise StoryError(f"  ✗ The demo failed.\n    {found}") from error
        finally:
            laptop.close()
            phone.close()

    def logs_in(self, laptop: Device, phone: Device) -> None:
        """Ada logs in on both devices and opens her settings."""
        answer = laptop.log_in(ADA_EMAIL, PASSWORD)
        self.step(answer.is_redirect, "logs in on the laptop", answer)
        answer = phone.log_in(ADA_EMAIL, PASSWORD, remember_me="true")
        kept = any("remember_me" in name for name in phone.http.cookies)
        self.step(kept, "logs in on the phone, and stays logged in there", answer)
        answer = laptop.open("/users/settings")
        offered = f'action="{CLOSE}"' in answer.text
        self.step(offered, "opens her settings, where she can delete her account", answer)
        phone.open("/")
        laptop.connect()
        phone.connect()
        self.step(True, "has both pages open, each with a WebSocket")

    def deletes_account(self, laptop: Device, phone: Device) -> None:
        """Ada confirms, the server closes her account, and both devices are logged out."""
        self.say(f"\n{indent(self.internals.plan().explain(), ' ' * 6)}\n")
        with listening(phone) as end:
            clicked = perf_counter()
            laptop.push("anonymize", current_password=PASSWORD, confirm="yes")
            self.step(
                True, "confirms with her password: the page sends “anonymize” over the WebSocket"
            )
            ack = laptop.hear_after_progress()
            self.step(ack.get("status") == "ok", "the server commits, and answers ok", ack)
            pushed = laptop.hear()
            is_logout = pushed.get("event") == "logout" and pushed["payload"] == {"to": "/"}
            self.step(is_logout, "the server sends “logout” to the laptop", pushed)
            token = {"X-CSRF-Token": laptop.token}
            answer = laptop.http.delete("/users/log_out", headers=token)
            self.step(
                answer.status_code == codes.NO_CONTENT,
                "the laptop sends DELETE /users/log_out",
                answer,
            )
            answer = laptop.open(pushed["payload"]["to"])
            is_home = answer.status_code == codes.OK and "Log in" in answer.text
            self.step(is_home, "the laptop opens the home page, logged out", answer)
            heard, code, ended = end.result(MIN_AGE)
        told = [message.get("event") for message in heard] == ["logout"] and code == LOGGED_OUT
        milliseconds = (ended - clicked) * 1000
        self.step(
            told,
            f"the server closed the phone's WebSocket {milliseconds:.0f} ms after the click",
            heard,
        )

    def gets_email(self) -> None:
        """The site sends one email to the address that was in her row."""
        mail = self.internals.mailbox.wait_for(ADA_EMAIL)
        told = re.search(r"invoices\b.*\b20\d\d\b", mail.text)
        self.step(bool(told), "her confirmation email says what we keep, and until when", mail)

    def is_logged_out_on(self, phone: Device) -> None:
        """The phone's cookies no longer log anyone in."""
        answer = phone.open("/users/settings")
        self.step(answer.is_redirect, "the phone is logged out too", answer)
        kept = any("remember_me" in name for name in phone.http.cookies)
        self.step(not kept, "its cookies are deleted")

    def cannot_log_in(self) -> None:
        """Neither the old password nor a password reset opens the account."""
        stranger = Device(self.address)
        answer = stranger.log_in(ADA_EMAIL, PASSWORD)
        self.step(
            answer.status_code == codes.UNPROCESSABLE_ENTITY,
            "the site refuses the old password",
            answer,
        )
        for email in (ADA_EMAIL, GRACE_EMAIL):
            stranger.open("/users/reset_password")
            answer = stranger.send("/users/reset_password", email=email)
        # Grace's reset was requested later, so an email to Ada would have arrived by now.
        self.internals.mailbox.wait_for(GRACE_EMAIL)
        mails = self.internals.mailbox.to(ADA_EMAIL)
        self.step(len(mails) == 1, "the site sends her no email to reset it", answer)
        stranger.close()

    def leaves_no_trace(self, before: dict[str, Any], shared: dict[str, int]) -> None:
        """Her row has no personal data, and the rows of other members are unchanged."""
        now = self.shared()
        kept = f"her {now['posts']} posts and {now['invoices']} invoices are still there"
        self.step(now == shared, kept, now)
        broken = self.internals.rows("PRAGMA foreign_key_check")
        self.step(not broken, "every foreign key is intact", broken)
        after = self.row()
        self.say("\n" + before_and_after(before, after) + "\n")
        changed = after["email"].endswith("@users.invalid") and after["deleted_at"]
        self.step(
            bool(changed) and after["id"] == ADA_ID, "her row no longer identifies her", list(after)
        )
        search, left = self.internals.receipt().search, self.internals.left()
        self.step(search is not None and search.is_clean, searched(search), search)
        self.step(len(left) == 1, "the site knows when she deleted her account", left)
        self.say(f"\n{ADA} deleted her account on {left[0]:%B %-d, %Y at %H:%M:%S} UTC.")

    def step(self, holds: bool, what: str, found: object = "") -> None:
        """Print a step that succeeded; stop the story at one that failed."""
        if not holds:
            raise StoryError(f"  ✗ {what}\n    That failed. Instead: {described(found)}")
        self.say(f"  ✓ {what}")

    def shared(self) -> dict[str, int]:
        """Count the rows that refer to Ada or belong to others."""
        rows = self.internals.rows
        return {what: int(rows(query)[0][0]) for what, query in UNCHANGED.items()}

    def row(self) -> dict[str, Any]:
        """Return Ada's row from the database."""
        query = f"SELECT {', '.join(SHOWN)} FROM users WHERE id = {ADA_ID}"  # noqa: S608  # constants
        return dict(zip(SHOWN, self.internals.rows(query)[0], strict=True))


def say(line: str) -> None:
    """Print a line without buffering, also into a pipe."""
    print(line, flush=True)


@contextmanager
def listening(device: Device) -> Iterator[Future[Heard]]:
    """Listen to a device's WebSocket in a thread, which ends early if the story stops."""
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(device.listen_to_the_end)
        except BaseException:
            device.close()
            raise


def invite(address: str, login: str | None, blocked: str | None) -> None:
    """Print how to try the site; *login* can delete its account, *blocked* can't yet."""
    say(f"\nNow you:  {address}")
    if login:
        say(f"  log in    {login} · {PASSWORD}")
        say("            Then choose the name at the top, and delete the account.")
    if blocked:
        say(f"  blocked   {blocked} · {PASSWORD}")
        say("            This member has to do something first.")
    say(f"  mailbox   {address}/dev/mailbox")
    say("  Ctrl+C ends the demo.")


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
        return "the search for her data in the whole database"
    return f"the search for her data is clean: {search.tables} tables, {search.columns} columns"


def described(found: object) -> str:
    """Describe a result, short enough for a terminal."""
    status = getattr(found, "status_code", None)
    return f"an answer with status {status}" if status else str(found)[:300]
