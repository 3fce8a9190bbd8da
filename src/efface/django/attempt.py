"""One attempt to close one's own account, by form or by a program."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.http import HttpRequest

from efface.django import settings
from efface.django.closing import close_account
from efface.django.facts import has_password
from efface.django.logins import is_recent
from efface.errors import ClosedObjectError, VetoedError
from efface.page.answer import Answer, Outcome
from efface.page.proof import Proof, TooManyTriesError, is_possible
from efface.page.quiet import describe

logger = logging.getLogger("efface.django")


def report(what: str, error: Exception) -> None:
    """Say in the log what failed, and of *error* only what holds no values."""
    logger.error("%s: %s", what, describe(error))


def attempt(request: HttpRequest, fields: Mapping[str, Any], *, channel: str) -> Answer:
    """Close the account of whoever is logged in, if they prove it is them.

    *fields* holds ``current_password`` and ``confirm`` as they came in; *channel* is recorded with
    the closing.
    """
    try:
        return _attempt(request, fields, channel)
    except TooManyTriesError as limit:
        return Answer(Outcome.LIMITED, retry_after=limit.retry_after)
    except VetoedError as veto:
        return Answer(Outcome.BLOCKED, blockers=veto.reasons)
    except ClosedObjectError:
        # Checking a password may store it hashed anew: closed meanwhile, by another tab.
        return Answer(Outcome.SIGNED_OUT)
    except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
        report("Closing an account failed", error)
        return Answer(Outcome.FAILED)


def _attempt(request: HttpRequest, fields: Mapping[str, Any], channel: str) -> Answer:
    if not request.user.is_authenticated:
        return Answer(Outcome.SIGNED_OUT)
    if fields.get("confirm") != "yes":
        return Answer(Outcome.UNCONFIRMED)
    proof, missing = _prove(request, fields.get("current_password"))
    # Asked again: a password check takes long enough for the session to end meanwhile.
    if not _is_still_logged_in(request):
        return Answer(Outcome.SIGNED_OUT)
    if missing is not None:
        return Answer(missing)
    actor = f"self-service by {channel}, {proof}"
    receipt = close_account(request.user, actor=actor, veto=settings.page().blockers)
    return Answer(Outcome.CLOSED, receipt)


def _prove(request: HttpRequest, password: object) -> tuple[Proof, Outcome | None]:
    """Return what was asked for, and how the attempt ends where it was not given."""
    if not has_password(request.user):
        return Proof.RECENT_SIGN_IN, None if is_recent(request) else Outcome.STALE
    is_right = is_possible(password) and _is_password(request, password)
    return Proof.PASSWORD, None if is_right else Outcome.WRONG_PASSWORD


def _is_password(request: HttpRequest, password: str) -> bool:
    own = settings.page().reauthenticate
    verdict: object
    verdict = own(request, password) if own else request.user.check_password(password)
    # True and nothing else: a forgotten `await` returns something truthy.
    return verdict is True


def _is_still_logged_in(request: HttpRequest) -> bool:
    user = request.user
    if SESSION_KEY in getattr(request, "session", {}):
        return bool(get_user(request).pk == user.pk)
    return bool(get_user_model()._base_manager.filter(pk=user.pk).exists())
