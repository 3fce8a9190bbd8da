"""What the mails say that accounts need, and how one is handed to the mailer.

Links prove who reads them; notices tell what was changed.
"""

import logging
from dataclasses import dataclass

from efface.page.confirmation_email import ConfirmationEmail
from garden.mail import Mailer

logger = logging.getLogger("garden.accounts")

IF_IT_WAS_NOT_YOU = (
    "If it was not you, set a new password at once: “Forgot your password?” on the log-in page.\n"
)


@dataclass(frozen=True)
class Letter:
    """A mail without its address."""

    subject: str
    text: str


EMAIL_MAY_CHANGE = Letter(
    "Somebody wants to change your address",
    "Somebody who is logged in as you wants to use another address for your account.\n"
    f"Nothing has changed yet. {IF_IT_WAS_NOT_YOU}",
)
EMAIL_CHANGED = Letter(
    "Your address was changed",
    "Your account has another address from now on, and this one is not used any more.\n"
    "If it was not you, answer this mail at once.\n",
)
PASSWORD_CHANGED = Letter(
    "Your password was changed", f"Your account has a new password. {IF_IT_WAS_NOT_YOU}"
)


def confirm_address(link: str) -> Letter:
    """Return the letter with the link that confirms an address."""
    return Letter(
        "Confirm your address",
        f"Welcome to the garden! Open this page to confirm your address:\n\n{link}\n\n"
        "If you did not create an account with us, ignore this mail.\n",
    )


def log_in(link: str, *, is_new: bool) -> Letter:
    """Return the letter with the link that logs in; *is_new* where it confirms the address too."""
    welcome = "Welcome to the garden! To confirm your address and log in" if is_new else "To log in"
    return Letter(
        "Confirm your address" if is_new else "Log in to the garden",
        f"{welcome}, open this page within a quarter of an hour:\n\n{link}\n\n"
        "If you did not ask for this, ignore this mail.\n",
    )


def reset_password(link: str) -> Letter:
    """Return the letter with the link that resets a password."""
    return Letter(
        "Reset your password",
        f"Open this page within the hour to set a new password:\n\n{link}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )


def change_address(link: str) -> Letter:
    """Return the letter, to the new address, with the link that changes to it."""
    return Letter(
        "Change your address",
        f"Open this page, while logged in, to use this address from now on:\n\n{link}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )


def deliver(mailer: Mailer, to: str, letter: Letter) -> None:
    """Hand a letter to the mailer; that it failed is said in the log, without the address."""
    try:
        mailer.deliver(to, letter.subject, letter.text)
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        logger.warning("A mail could not be delivered: %s", type(error).__name__)


def deliver_farewell(mailer: Mailer, email: str, farewell: ConfirmationEmail, address: str) -> None:
    """Tell somebody who has left what was kept and until when; it is the last mail.

    *address* is that of the site. Where nobody has set it, there is no link: the one the request
    names could be anybody's.

    Raises:
        Exception: whatever the mailer raises; who calls says it in the log.
    """
    link = f"\nRead this again, without an account: {address}{farewell.path}\n" if address else ""
    mailer.deliver(email, farewell.subject, f"{farewell.text}{link}")
