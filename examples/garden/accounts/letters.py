"""The mails that accounts need: links that prove who reads them, and notices of what was changed.

All of this runs after the answer has been sent: how long an answer takes must not tell whether
an address is known. So each function opens a transaction of its own.
"""

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session, sessionmaker

from efface.asgi import Farewell
from garden.accounts import tokens
from garden.accounts.users import get_user, get_user_by_email
from garden.mail import Mailer

logger = logging.getLogger("garden.accounts")

Link = Callable[[str], str]


def deliver_user_confirmation_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link
) -> None:
    """Send the link that confirms an address, unless it is unknown or confirmed."""
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None or user.confirmed_at:
            return
        to, secret = user.email, tokens.generate_token(session, user, tokens.CONFIRM, user.email)
    _deliver(
        mailer,
        to,
        "Confirm your address",
        f"Welcome to the garden! Open this page to confirm your address:\n\n{link(secret)}\n\n"
        "If you did not create an account with us, ignore this mail.\n",
    )


def deliver_log_in_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link, confirm: Link
) -> None:
    """Send the link that logs in, unless the address is unknown.

    Who has joined with a password first confirms the address, by the other link.
    """
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None:
            return
        to, is_new = user.email, user.confirmed_at is None
        first_confirms = is_new and bool(user.hashed_password)
        secret = "" if first_confirms else tokens.generate_token(session, user, tokens.LOG_IN, to)
    if first_confirms:
        deliver_user_confirmation_instructions(sessions, mailer, to, confirm)
        return
    welcome = "Welcome to the garden! To confirm your address and log in" if is_new else "To log in"
    _deliver(
        mailer,
        to,
        "Confirm your address" if is_new else "Log in to the garden",
        f"{welcome}, open this page within a quarter of an hour:\n\n{link(secret)}\n\n"
        "If you did not ask for this, ignore this mail.\n",
    )


def deliver_user_reset_password_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link
) -> None:
    """Send the link that resets a password, unless the address is unknown."""
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None:
            return
        to = user.email
        secret = tokens.generate_token(session, user, tokens.RESET_PASSWORD, user.email)
    _deliver(
        mailer,
        to,
        "Reset your password",
        f"Open this page within the hour to set a new password:\n\n{link(secret)}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )


def deliver_user_update_email_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, user_id: int, new_email: str, link: Link
) -> None:
    """Send the link that changes an address to the new one, and a notice to the old one."""
    with sessions.begin() as session:
        user = get_user(session, user_id)
        if user is None:
            return
        old_email = user.email
        secret = tokens.generate_token(session, user, tokens.CHANGE_EMAIL, new_email)
    _deliver(
        mailer,
        new_email,
        "Change your address",
        f"Open this page, while logged in, to use this address from now on:\n\n{link(secret)}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )
    _deliver(
        mailer,
        old_email,
        "Somebody wants to change your address",
        "Somebody who is logged in as you wants to use another address for your account.\n"
        f"Nothing has changed yet. {IF_IT_WAS_NOT_YOU}",
    )


def deliver_email_changed_notice(mailer: Mailer, old_email: str) -> None:
    """Tell the address an account has had that it has another one now."""
    _deliver(
        mailer,
        old_email,
        "Your address was changed",
        "Your account has another address from now on, and this one is not used any more.\n"
        "If it was not you, answer this mail at once.\n",
    )


def deliver_password_changed_notice(mailer: Mailer, email: str) -> None:
    """Tell somebody that they have a new password."""
    _deliver(
        mailer,
        email,
        "Your password was changed",
        f"Your account has a new password. {IF_IT_WAS_NOT_YOU}",
    )


def deliver_farewell(mailer: Mailer, email: str, farewell: Farewell, address: str) -> None:
    """Tell somebody who has left what was kept and until when; it is the last mail.

    *address* is that of the site. Where nobody has set it, there is no link: the one the request
    names could be anybody's.

    Raises:
        Exception: whatever the mailer raises; who calls says it in the log.
    """
    link = f"\nRead this again, without an account: {address}{farewell.path}\n" if address else ""
    mailer.deliver(email, farewell.subject, f"{farewell.text}{link}")


IF_IT_WAS_NOT_YOU = (
    "If it was not you, set a new password at once: “Forgot your password?” on the log-in page.\n"
)


def _deliver(mailer: Mailer, to: str, subject: str, text: str) -> None:
    try:
        mailer.deliver(to, subject, text)
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        logger.warning("A mail could not be delivered: %s", type(error).__name__)
