"""Answer the routes of the page, with pages for users and JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from efface.django import settings
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.page.active_language import language
from efface.django.page.closing_attempt import attempt, report
from efface.django.page.logged_in_user import (
    find_logged_in_user,
    has_ended_session,
    may_have_return_path,
    note_form_shown,
)
from efface.django.page.page_facts import AccountFacts, facts_of, policy_texts
from efface.django.page.page_paths import Paths, paths_of
from efface.django.page.request_format import read_fields, wants_json
from efface.django.policy.erasers import find_user_database, require_eraser
from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import (
    SENTENCES,
    STATUS,
    UNKNOWN,
    UNREADABLE,
    AttemptResult,
    Outcome,
    bare_page,
)
from efface.page.blockers import Blocker
from efface.page.consequences import plain, plain_line
from efface.page.security_headers import HEADERS, SCRIPT, STYLE

_LONGEST = 32  # of a reference


@never_cache
@sensitive_post_parameters("current_password")
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest) -> HttpResponse:
    """Show what will be deleted and the form, and close the account when the user confirms."""
    try:
        return _answer_post(request) if request.method == "POST" else _answer_get(request)
    except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
        report("The closing page failed", error)
        return _failed(request)


@never_cache
@require_http_methods(["GET", "HEAD"])
def done(request: HttpRequest) -> HttpResponse:
    """Show the goodbye page to everyone who has the confirmation number."""
    receipt = None
    try:
        receipt = _receipt(request.GET.get("reference", ""))
        return _goodbye(request, receipt)
    except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
        report("The goodbye page failed", error)
        outcome = Outcome.FAILED if receipt is None else Outcome.CLOSED
        return _bare(request, {"error": "failed"}, SENTENCES[outcome], 503)


@require_http_methods(["GET", "HEAD"])
def style(_: HttpRequest) -> HttpResponse:
    """Answer with our style sheet, for projects that serve no static files."""
    return _asset(STYLE, "text/css")


@require_http_methods(["GET", "HEAD"])
def script(_: HttpRequest) -> HttpResponse:
    """Answer with the page's script."""
    return _asset(SCRIPT, "text/javascript")


# ---------------------------------------------------------------- GET


def section(request: HttpRequest) -> str:
    """Return the section for a settings page, or nothing if no user is logged in."""
    try:
        if not find_logged_in_user(request).is_authenticated:
            return ""
        facts = facts_of(request)
    except Exception as error:  # noqa: BLE001  (the rest of the settings page still works)
        report("The facts for the closing section failed", error)
        facts = None
    return _section(request, facts, level=2)


def _answer_get(request: HttpRequest) -> HttpResponse:
    if find_logged_in_user(request).is_authenticated:
        return _closing_page(request)
    if wants_json(request):
        return _problem(request, AttemptResult(Outcome.LOGGED_OUT))
    retention_terms = policy_texts(require_eraser(find_user_database())).retention_terms()
    return _page(
        request,
        "logged_out",
        notified=settings.page_settings().recipients,
        retention_terms=retention_terms,
    )


def _closing_page(request: HttpRequest, answer: AttemptResult | None = None) -> HttpResponse:
    facts = facts_of(request)
    if wants_json(request):
        return _json(_as_data(request, facts))
    message = language().say(answer.message) if answer is not None else None
    status = STATUS[answer.outcome] if answer is not None else 200
    shown = _section(request, facts, level=1, message=message)
    return _page(request, "closing", status, section=shown)


def _as_data(request: HttpRequest, facts: AccountFacts) -> dict[str, Any]:
    return {
        "deleted": facts.consequences.deleted,
        "kept": [plain_line(line) for line in facts.consequences.kept],
        "notified": facts.consequences.notified,
        "names": facts.consequences.names,
        "blockers": _translated(facts.blockers),
        "proof": facts.proof.value,
        "login_path": paths_of(request).login,
        "csrf_token": get_token(request),
    }


# ---------------------------------------------------------------- POST


def _answer_post(request: HttpRequest) -> HttpResponse:
    try:
        fields = read_fields(request)
    except (ValueError, RecursionError):
        problem = {"error": "unreadable", "message": language().say(UNREADABLE)}
        return _json(problem, 400)
    answer = attempt(request, fields, channel="program" if wants_json(request) else "form")
    if answer.outcome is Outcome.CLOSED:
        return _answer_closed(request, answer)
    if wants_json(request) or answer.outcome is Outcome.FAILED:
        return _problem(request, answer)
    if answer.outcome is Outcome.LOGGED_OUT:
        is_ended = answer.was_logged_in or has_ended_session(request)
        return _leave(request, answer) if is_ended else _to_login(request)
    return _with_retry_after(_closing_page(request, answer), answer)


def _answer_closed(request: HttpRequest, answer: AttemptResult) -> HttpResponse:
    try:
        return _closed(request, answer)
    except Exception as error:  # noqa: BLE001  (the account is closed, so no answer may deny it)
        report("The answer to a closure failed", error)
        return _forget(_bare(request, {"status": "closed"}, answer.message))


def _closed(request: HttpRequest, answer: AttemptResult) -> HttpResponse:
    assert answer.receipt is not None  # noqa: S101  (a closing has one)
    if not wants_json(request):
        return _leave(request, answer)
    record = plain(policy_texts(require_eraser(find_user_database())).record(answer.receipt))
    _log_out(request)
    message = language().say(answer.message)
    return _forget(_json({"status": "closed", "message": message, **record}))


def _leave(request: HttpRequest, answer: AttemptResult) -> HttpResponse:
    """Lead to the goodbye page, or to the project's own page with a message."""
    paths = paths_of(request)
    to = paths.redirect or paths.after(answer) or paths.path
    _log_out(request)
    if paths.redirect is not None:
        messages.success(request, language().say(answer.message), fail_silently=True)
    response = HttpResponseRedirect(to, headers={"Cache-Control": "no-store"})
    response.status_code = 303
    return _forget(response)


def _to_login(request: HttpRequest) -> HttpResponse:
    """Lead a visitor to the login page, and leave the session as it is.

    The session may have a path to return to after the login. Only if it has no data, we name this
    page as the one to return to, because the project's login page may store our path in place of
    its own.
    """
    paths = paths_of(request)
    to = paths.plain_login if may_have_return_path(request) else paths.login
    response = HttpResponseRedirect(to, headers={"Cache-Control": "no-store"})
    response.status_code = 303
    return response


def _log_out(request: HttpRequest) -> None:
    # Receivers of user_logged_out get no user, because the account is closed.
    request.user = AnonymousUser()
    if hasattr(request, "session"):
        logout(request)


def _forget(response: HttpResponse) -> HttpResponse:
    """Clear the project's cookies that keep this browser logged in."""
    for name in settings.page_settings().clear_cookies:
        response.delete_cookie(
            name,
            path=django_settings.SESSION_COOKIE_PATH,
            domain=django_settings.SESSION_COOKIE_DOMAIN,
            samesite=django_settings.SESSION_COOKIE_SAMESITE,
        )
    return response


# ---------------------------------------------------------------- answers


def _goodbye(request: HttpRequest, receipt: Receipt | None) -> HttpResponse:
    if receipt is None:
        if wants_json(request):
            return _json({"error": "unknown", "message": language().say(UNKNOWN)}, 404)
        return _page(request, "goodbye", 404, closed_on=None)
    record = policy_texts(require_eraser(find_user_database())).record(receipt)
    if wants_json(request):
        return _json(plain(record))
    return _page(request, "goodbye", **record)


def _failed(request: HttpRequest) -> HttpResponse:
    answer = AttemptResult(Outcome.FAILED)
    try:
        return _problem(request, answer)
    except Exception as error:  # noqa: BLE001  (what has failed may fail again)
        report("The page for failures has failed, too", error)
        return _bare(request, {"error": "failed"}, answer.message, STATUS[answer.outcome])


def _bare(
    request: HttpRequest, data: Mapping[str, str], sentence: str, status: int = 200
) -> HttpResponse:
    """Answer with *sentence* only, which needs no template, route or query."""
    if wants_json(request):
        return _json({**data, "message": language().say(sentence)}, status)
    return _with_headers(HttpResponse(bare_page(sentence, language()), status=status))


def _problem(request: HttpRequest, answer: AttemptResult) -> HttpResponse:
    status, message = STATUS[answer.outcome], language().say(SENTENCES[answer.outcome])
    if not wants_json(request):
        return _with_retry_after(_page(request, "message", status, message=message), answer)
    problem: dict[str, Any] = {"error": answer.outcome.name.lower(), "message": message}
    if answer.outcome in (Outcome.LOGGED_OUT, Outcome.STALE):
        problem["login_path"] = paths_of(request).login
    if answer.blockers:
        problem["blockers"] = _translated(answer.blockers)
    return _with_retry_after(_json(problem, status), answer)


def _translated(blockers: Iterable[Blocker]) -> list[dict[str, str]]:
    return [blocker.in_language(language().code) for blocker in blockers]


def _section(
    request: HttpRequest, facts: AccountFacts | None, *, level: int, message: str | None = None
) -> str:
    context = {**_context(request), "level": level, "below": level + 1, "message": message}
    if facts is None:
        context |= {"proof": "unknown", "blockers": (), "consequences": None}
    else:
        note_form_shown(request)
        context |= {
            **vars(facts),
            "proof": facts.proof.value,
            "blockers": _translated(facts.blockers),
        }
    text: str = render_to_string("efface/delete_account_dialog.html", context, request)
    return text


def _page(request: HttpRequest, name: str, status: int = 200, **facts: Any) -> HttpResponse:
    context = {**_context(request), **facts}
    response = render(request, f"efface/{name}.html", context, status=status)
    response.headers["Content-Language"] = context["language"].code
    return _with_headers(response)


def _context(request: HttpRequest) -> dict[str, Any]:
    paths: Paths = paths_of(request)
    return {"paths": paths, "language": language()}


def _json(data: Mapping[str, Any], status: int = 200) -> HttpResponse:
    return _with_headers(JsonResponse(data, status=status))


def _with_headers(response: HttpResponse) -> HttpResponse:
    patch_vary_headers(response, HEADERS["Vary"].split(", "))
    for name in HEADERS.keys() - {"Vary", "Cache-Control"}:
        response.headers[name] = HEADERS[name]
    return response


def _with_retry_after(response: HttpResponse, answer: AttemptResult) -> HttpResponse:
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _asset(path: Path, kind: str) -> HttpResponse:
    # Read here, because a server that loses its client first would leave an open file.
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(path.read_bytes(), content_type=kind, headers=headers)


def _receipt(reference: str) -> Receipt | None:
    if not (reference.isascii() and reference.isalnum() and len(reference) <= _LONGEST):
        return None
    alias = find_user_database()
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return require_eraser(alias).eraser.get_receipt(bind, reference)
