"""One attempt to close one's own account, by form, by a program or over a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from efface.django import settings
from efface.django.accounts import close_account
from efface.django.page.active_language import language
from efface.django.page.logged_in_user import is_still_logged_in, recognized
from efface.django.page.page_facts import has_password, policy_texts
from efface.django.page.page_paths import paths_of
from efface.django.page.recent_logins import is_recent
from efface.django.policy.erasers import find_user_database, require_eraser
from efface.errors import BlockedError, ClosedObjectError
from efface.errors.integration_refusals import TooManyAttemptsError
from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import Answer, Outcome
from efface.page.confirmation_email import AttemptEmail, ConfirmationEmail, Send
from efface.page.identity_proof import Proof, is_possible
from efface.safe_logging import reporter

report = reporter("efface.django")

OnProgress = Callable[[int, int], None]


def attempt(
    request: HttpRequest,
    fields: Mapping[str, Any],
    *,
    channel: str,
    on_progress: OnProgress | None = None,
) -> Answer:
    """Close the account of whoever is logged in, if they prove it is them.

    *fields* holds ``current_password`` and ``confirm`` as they came in; *channel* is recorded with
    the closing; *watch* is told how far it is.
    """
    try:
        return _attempt(request, fields, channel, on_progress)
    except TooManyAttemptsError as limit:
        return Answer(Outcome.LIMITED, retry_after=limit.retry_after)
    except BlockedError as blockers:
        return Answer(Outcome.BLOCKED, blockers=blockers.reasons)
    except ClosedObjectError:
        # Checking a password may store it hashed anew: closed meanwhile, by another tab.
        return Answer(Outcome.LOGGED_OUT)
    except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
        report("Closing an account failed", error)
        return Answer(Outcome.FAILED)


def _attempt(
    request: HttpRequest, fields: Mapping[str, Any], channel: str, on_progress: OnProgress | None
) -> Answer:
    if not recognized(request).is_authenticated:
        return Answer(Outcome.LOGGED_OUT)
    if fields.get("confirm") != "yes":
        return Answer(Outcome.UNCONFIRMED)
    proof, missing = _prove(request, fields.get("current_password"))
    # Asked again: a password check takes long enough for the session to end meanwhile.
    if not is_still_logged_in(request):
        return Answer(Outcome.LOGGED_OUT)
    if missing is not None:
        return Answer(missing)
    actor, email = f"self-service by {channel}, {proof}", _letter(request)
    blockers = email.blockers(settings.page_settings().blockers)
    receipt = close_account(request.user, actor=actor, blockers=blockers, on_progress=on_progress)
    if not receipt.already_closed:
        # Last: a mail server that does not answer must not put off the second pass.
        transaction.on_commit(
            lambda: _send(email, receipt), using=find_user_database(), robust=True
        )
    return Answer(Outcome.CLOSED, receipt)


def _letter(request: HttpRequest) -> AttemptEmail:
    """Return the mail of one attempt, in the language that holds before the account closes."""
    prepare, alias, speaks = (
        settings.page_settings().confirmation_email,
        find_user_database(),
        language(),
    )
    paths, labels = paths_of(request), policy_texts(require_eraser(alias))

    def compose(receipt: Receipt) -> ConfirmationEmail:
        path = paths.goodbye(receipt.reference)
        return ConfirmationEmail(path=path, language=speaks, **labels.record(receipt))

    def take(user: Any) -> Send | None:
        # A statement that fails ends the whole transaction on some databases.
        with transaction.atomic(using=alias):
            return prepare(user) if prepare is not None else None

    return AttemptEmail(take if prepare is not None else None, compose, report)


def _send(email: AttemptEmail, receipt: Receipt) -> None:
    try:
        email.send(receipt)
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        email.failed(receipt, error)


def _prove(request: HttpRequest, password: object) -> tuple[Proof, Outcome | None]:
    """Return what was asked for, and how the attempt ends where it was not given."""
    if not has_password(request.user):
        return Proof.RECENT_LOGIN, None if is_recent(request) else Outcome.STALE
    is_right = is_possible(password) and _is_password(request, password)
    return Proof.PASSWORD, None if is_right else Outcome.WRONG_PASSWORD


def _is_password(request: HttpRequest, password: str) -> bool:
    own = settings.page_settings().check_password
    verdict: object
    verdict = own(request, password) if own else request.user.check_password(password)
    # True and nothing else: a forgotten `await` returns something truthy.
    return verdict is True
