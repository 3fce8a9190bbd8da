"""Close the account of the user who asks, by form, by program or over a WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from efface.django import settings
from efface.django.accounts import close_account
from efface.django.page.active_language import language
from efface.django.page.logged_in_user import find_logged_in_user, is_still_logged_in
from efface.django.page.page_facts import has_password, policy_texts
from efface.django.page.page_paths import paths_of
from efface.django.page.recent_logins import is_recent
from efface.django.policy.erasers import find_user_database, require_eraser
from efface.errors import BlockedError, ClosedObjectError
from efface.errors.integration_refusals import TooManyAttemptsError
from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import AttemptResult, Outcome
from efface.page.blockers import require_blockers
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
) -> AttemptResult:
    """Close the account of the logged-in user, if they prove their identity.

    Args:
        request: The request, or that of the WebSocket's handshake.
        fields: ``current_password`` and ``confirm`` as they were sent.
        channel: Recorded in the receipt: form, program or socket.
        on_progress: Called with the number of steps done and of all steps.
    """
    try:
        return _attempt(request, fields, channel, on_progress)
    except TooManyAttemptsError as limit:
        return AttemptResult(Outcome.LIMITED, retry_after=limit.retry_after)
    except BlockedError as error:
        return AttemptResult(Outcome.BLOCKED, blockers=require_blockers(error.reasons))
    except ClosedObjectError:
        # Closed meanwhile, by another tab, while checking the password stored a new hash of it.
        return AttemptResult(Outcome.LOGGED_OUT, was_logged_in=True)
    except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
        report("Closing an account failed", error)
        return AttemptResult(Outcome.FAILED)


def _attempt(
    request: HttpRequest, fields: Mapping[str, Any], channel: str, on_progress: OnProgress | None
) -> AttemptResult:
    if not find_logged_in_user(request).is_authenticated:
        return AttemptResult(Outcome.LOGGED_OUT)
    if fields.get("confirm") != "yes":
        return AttemptResult(Outcome.UNCONFIRMED)
    proof, missing = _prove(request, fields.get("current_password"))
    # Asked again, because a password check takes long enough for the session to end meanwhile.
    if not is_still_logged_in(request):
        return AttemptResult(Outcome.LOGGED_OUT, was_logged_in=True)
    if missing is not None:
        return AttemptResult(missing)
    actor, email = f"self-service by {channel}, {proof}", _email_of(request)
    # Asked last, so the email is prepared if nothing blocks.
    ask = email.blockers(None)
    receipt = close_account(request.user, actor=actor, blockers=ask, on_progress=on_progress)
    if not receipt.already_closed:
        # Last, because a mail server that doesn't answer must not delay finalizing.
        transaction.on_commit(
            lambda: _send(email, receipt), using=find_user_database(), robust=True
        )
    return AttemptResult(Outcome.CLOSED, receipt)


def _email_of(request: HttpRequest) -> AttemptEmail:
    """Return the email of one attempt, in the language that the user has before the closure."""
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
    except Exception as error:  # noqa: BLE001  (what a mailer raises can quote the address)
        email.failed(receipt, error)


def _prove(request: HttpRequest, password: object) -> tuple[Proof, Outcome | None]:
    """Return the proof that the user needs, and how the attempt ends if it is missing."""
    if not has_password(request.user):
        return Proof.RECENT_LOGIN, None if is_recent(request) else Outcome.STALE
    is_right = is_possible(password) and _is_password(request, password)
    return Proof.PASSWORD, None if is_right else Outcome.WRONG_PASSWORD


def _is_password(request: HttpRequest, password: str) -> bool:
    own = settings.page_settings().check_password
    verdict: object
    verdict = own(request, password) if own else request.user.check_password(password)
    # Only True counts, because a forgotten `await` returns something truthy.
    return verdict is True
