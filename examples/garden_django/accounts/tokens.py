"""Tokens: the rows behind the secrets (`garden.accounts.token_secrets`), for logins and links.

Closed accounts are left out of every query here, and none of the queries says so: `efface.django`
does it in one place.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower

from garden.accounts.token_secrets import (
    CHANGE_EMAIL,
    CONFIRM,
    GRACE,
    LOG_IN,
    RESET_PASSWORD,
    SESSION,
    VALID_FOR,
    Login,
    hash_secret,
    new_browser_id,
    new_secret,
)
from garden_django.app_state import now
from garden_django.models import User, UserToken

__all__ = ["CHANGE_EMAIL", "CONFIRM", "LOG_IN", "RESET_PASSWORD", "SESSION"]


@transaction.atomic
def generate_token(
    user: User,
    context: str,
    sent_to: str | None = None,
    *,
    authenticated_at: datetime | None = None,
    browser_id: str | None = None,
) -> str | None:
    """Return a new secret for *user*; links sent by email are bound to the address.

    There is none where the account was closed meanwhile: we may have been hashing a password.
    """
    if User.objects.locked(user.pk) is None:
        return None
    secret = new_secret()
    UserToken.objects.create(
        user_id=user.pk,
        token=hash_secret(secret),
        context=context,
        sent_to=sent_to,
        inserted_at=now(),
        authenticated_at=authenticated_at,
        browser_id=browser_id,
    )
    return secret


# ---------------------------------------------------------------- logins


def generate_user_session_token(user: User, authenticated_at: datetime | None = None) -> str | None:
    """Log *user* in: return the secret that the browser keeps in its cookie."""
    return generate_token(
        user, SESSION, authenticated_at=authenticated_at or now(), browser_id=new_browser_id()
    )


def find_login(secret: str) -> Login | None:
    """Return the login that *secret* stands for."""
    return _find_login(_users(SESSION, token=hash_secret(secret)))


def find_login_of(browser_id: str) -> Login | None:
    """Return the login of a browser whose token may have been replaced meanwhile.

    A page that was open before proves nothing new: it does not say when they authenticated.
    """
    found = _find_login(_users(SESSION, browser_id=browser_id, replaced_at=None))
    return Login(found.user, found.inserted_at, browser_id=browser_id) if found else None


def get_user_by_session_token(secret: str) -> User | None:
    """Return who is logged in with *secret*."""
    login = find_login(secret)
    return login.user if login else None


@transaction.atomic
def replace_session_token(
    login: Login, secret: str, authenticated_at: datetime | None
) -> str | None:
    """Return a new secret for the same browser; the old one works for a minute more.

    There is none where a request at the same moment has replaced it already, or the account has
    been closed.
    """
    # First the account and then its tokens, as a closing does: neither waits in a circle.
    if User.objects.locked(login.user.pk) is None:
        return None
    if not _rows(SESSION, secret).filter(replaced_at=None).update(replaced_at=now()):
        return None
    return generate_token(
        login.user,
        SESSION,
        authenticated_at=authenticated_at,
        browser_id=login.browser_id or new_browser_id(),
    )


def delete_user_session_token(secret: str) -> None:
    """Log out the one browser that holds *secret*, with what it held before."""
    held = _rows(SESSION, secret)
    browsers = held.exclude(browser_id=None).values("browser_id")
    UserToken.objects.filter(Q(pk__in=held.values("pk")) | Q(browser_id__in=browsers)).delete()


def delete_expired_tokens() -> int:
    """Delete the expired tokens; return their number."""
    gone = Q(replaced_at__lte=now() - GRACE)
    for context, time in VALID_FOR.items():
        gone |= Q(context=context, inserted_at__lte=now() - time)
    return UserToken.objects.filter(gone).delete()[0]


# ---------------------------------------------------------------- links


def get_user_by_email_token(secret: str, context: str) -> User | None:
    """Return the person a link was sent to, if they still have the address it was sent to."""
    found = _users(context, token=hash_secret(secret))
    return found.filter(sent_to_lower=Lower("email")).first()


def get_new_email(user: User, secret: str) -> str | None:
    """Return the new address that *user* proved with a link; another's link proves nothing."""
    found = _users(CHANGE_EMAIL, token=hash_secret(secret)).filter(pk=user.pk)
    return found.values_list("tokens__sent_to", flat=True).first()


def use_up(secret: str, context: str) -> bool:
    """Delete a link; return whether this is the one time it is used."""
    return _rows(context, secret).delete()[0] > 0


def delete_user_tokens(user: User, *contexts: str) -> None:
    """Delete the tokens of *user* with one of the *contexts*, or all of them."""
    mine = UserToken.objects.filter(user_id=user.pk)
    (mine.filter(context__in=contexts) if contexts else mine).delete()


# ---------------------------------------------------------------- queries


def _rows(context: str, secret: str) -> QuerySet[UserToken]:
    return UserToken.objects.filter(context=context, token=hash_secret(secret))


def _users(context: str, **conditions: Any) -> QuerySet[User]:
    """Return the users with a valid token, annotated with its columns."""
    is_good = Q(tokens__replaced_at=None) | Q(tokens__replaced_at__gt=now() - GRACE)
    found = User.objects.filter(
        is_good,
        tokens__context=context,
        tokens__inserted_at__gt=now() - VALID_FOR[context],
        **{f"tokens__{name}": value for name, value in conditions.items()},
    )
    return found.annotate(
        sent_to_lower=Lower("tokens__sent_to"),
        token_inserted_at=F("tokens__inserted_at"),
        authenticated_at=F("tokens__authenticated_at"),
        replaced_at=F("tokens__replaced_at"),
        browser_id=F("tokens__browser_id"),
    )


def _find_login(found: QuerySet[User]) -> Login | None:
    user: Any = found.first()
    if user is None:
        return None
    return Login(
        user, user.token_inserted_at, user.authenticated_at, user.replaced_at, user.browser_id
    )
