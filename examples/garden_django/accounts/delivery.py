"""Who gets which letter.

All of this runs after the answer is made: how long an answer takes must not tell whether an
address is known. Whose account closes in the meantime has no secret to get, and gets no letter.
A *link* is the address of a page, to which the secret is added.
"""

from garden.accounts import letters
from garden_django.accounts import tokens
from garden_django.accounts.users import get_user, get_user_by_email
from garden_django.parts import parts


def deliver_user_confirmation_instructions(email: str, link: str) -> None:
    """Send the link that confirms an address, unless it is unknown or confirmed."""
    user = get_user_by_email(email)
    if user is None or user.confirmed_at:
        return
    secret = tokens.generate_token(user, tokens.CONFIRM, user.email)
    if secret:
        letters.deliver(parts.mailer, user.email, letters.confirm_address(link + secret))


def deliver_log_in_instructions(email: str, link: str, confirm: str) -> None:
    """Send the link that logs in, unless the address is unknown.

    Who has joined with a password first confirms the address, by the other link.
    """
    user = get_user_by_email(email)
    if user is None:
        return
    is_new = user.confirmed_at is None
    if is_new and user.password:
        deliver_user_confirmation_instructions(user.email, confirm)
        return
    secret = tokens.generate_token(user, tokens.LOG_IN, user.email)
    if secret:
        letters.deliver(parts.mailer, user.email, letters.log_in(link + secret, is_new=is_new))


def deliver_user_reset_password_instructions(email: str, link: str) -> None:
    """Send the link that resets a password, unless the address is unknown."""
    user = get_user_by_email(email)
    if user is None:
        return
    secret = tokens.generate_token(user, tokens.RESET_PASSWORD, user.email)
    if secret:
        letters.deliver(parts.mailer, user.email, letters.reset_password(link + secret))


def deliver_user_update_email_instructions(user_id: int, new_email: str, link: str) -> None:
    """Send the link that changes an address to the new one, and a notice to the old one."""
    user = get_user(user_id)
    if user is None:
        return
    secret = tokens.generate_token(user, tokens.CHANGE_EMAIL, new_email)
    if secret:
        letters.deliver(parts.mailer, new_email, letters.change_address(link + secret))
        letters.deliver(parts.mailer, user.email, letters.EMAIL_MAY_CHANGE)


def deliver_notice(email: str, letter: letters.Letter) -> None:
    """Tell somebody what was changed."""
    letters.deliver(parts.mailer, email, letter)
