"""One attempt to close one's own account, by form, by a program or over a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from efface.django import settings
from efface.django.closing import close_account
from efface.django.facts import has_password, wording
from efface.django.identity import is_still_logged_in, recognized
from efface.django.language import language
from efface.django.logins import is_recent
from efface.django.paths import paths_of
from efface.django.ready import home, sound
from efface.errors import ClosedObjectError, VetoedError
from efface.evidence.receipt import Receipt
from efface.page.answer import Answer, Outcome
from efface.page.farewell import Farewell
from efface.page.parting import Letter, Send
from efface.page.proof import Proof, TooManyTriesError, is_possible
from efface.page.quiet import reporter

report = reporter("efface.django")

Watch = Callable[[int, int], None]


def attempt(
    request: HttpRequest, fields: Mapping[str, Any], *, channel: str, watch: Watch | None = None
) -> Answer:
    """Close the account of whoever is logged in, if they prove it is them.

    *fields* holds ``current_password`` and ``confirm`` as they came in; *channel* is recorded with
    the closing; *watch* is told how far it is.
    """
    try:
        return _attempt(request, fields, channel, watch)
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


def _attempt(
    request: HttpRequest, fields: Mapping[str, Any], channel: str, watch: Watch | None
) -> Answer:
    if not recognized(request).is_authenticated:
        return Answer(Outcome.SIGNED_OUT)
    if fields.get("confirm") != "yes":
        return Answer(Outcome.UNCONFIRMED)
    proof, missing = _prove(request, fields.get("current_password"))
    # Asked again: a password check takes long enough for the session to end meanwhile.
    if not is_still_logged_in(request):
        return Answer(Outcome.SIGNED_OUT)
    if missing is not None:
        return Answer(missing)
    actor, letter = f"self-service by {channel}, {proof}", _letter(request)
    veto = letter.blockers(settings.page().blockers)
    receipt = close_account(request.user, actor=actor, veto=veto, watch=watch)
    if not receipt.already_closed:
        # Last: a mail server that does not answer must not put off the second pass.
        transaction.on_commit(lambda: _send(letter, receipt), using=home(), robust=True)
    return Answer(Outcome.CLOSED, receipt)


def _letter(request: HttpRequest) -> Letter:
    """Return the mail of one attempt, in the language that holds before the account closes."""
    part, alias, speaks = settings.page().farewell, home(), language()
    paths, words = paths_of(request), wording(sound(alias))

    def word(receipt: Receipt) -> Farewell:
        path = paths.farewell(receipt.reference)
        return Farewell(path=path, language=speaks, **words.record(receipt))

    def take(user: Any) -> Send | None:
        # A statement that fails ends the whole transaction on some databases.
        with transaction.atomic(using=alias):
            return part(user) if part is not None else None

    return Letter(take if part is not None else None, word, report)


def _send(letter: Letter, receipt: Receipt) -> None:
    try:
        letter.send(receipt)
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        letter.failed(receipt, error)


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
