"""The closing page: pages for people, JSON for programs, the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
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
from efface.django.attempt import attempt, report
from efface.django.facts import Facts, facts_of, wording
from efface.django.identity import recognized
from efface.django.language import language
from efface.django.paths import Paths, paths_of, way_back
from efface.django.ready import home, sound
from efface.evidence.receipt import Receipt
from efface.page.answer import (
    SENTENCES,
    STATUS,
    UNKNOWN,
    UNREADABLE,
    UNSHOWN,
    Answer,
    Outcome,
    bare,
)
from efface.page.blocker import Blocker
from efface.page.consequences import plain, plain_line
from efface.page.headers import HEADERS, SCRIPT, STYLE
from efface.page.refusal import STALE, for_people, for_scripts, headers_in, is_script

_LONGEST = 32  # of a reference
_JSON = "application/json"


@never_cache
@sensitive_post_parameters("current_password")
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest) -> HttpResponse:
    """Show what closing means, and close the account of whoever confirms it."""
    try:
        return _posted(request) if request.method == "POST" else _asked(request)
    except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
        report("The closing page failed", error)
        return _failed(request)


@never_cache
@require_http_methods(["GET", "HEAD"])
def done(request: HttpRequest) -> HttpResponse:
    """Show the farewell of one closing to whoever has its number."""
    receipt = None
    try:
        receipt = _receipt(request.GET.get("reference", ""))
        return _farewell(request, receipt)
    except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
        report("The farewell page failed", error)
        sentence = UNSHOWN if receipt is None else SENTENCES[Outcome.CLOSED]
        return _bare(request, {"error": "failed"}, sentence, 503)


@require_http_methods(["GET", "HEAD"])
def style(_: HttpRequest) -> HttpResponse:
    """Answer our style sheet, for projects that serve no static files."""
    return _asset(STYLE, "text/css")


@require_http_methods(["GET", "HEAD"])
def script(_: HttpRequest) -> HttpResponse:
    """Answer the page's side of the live socket."""
    return _asset(SCRIPT, "text/javascript")


def out_of_date(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """Refuse what no page of this session has sent: ``CSRF_FAILURE_VIEW``.

    People read what to do, in their language; scripts get JSON. *reason* is for the log.
    """
    speaks = language()
    if _wants_json(request) or is_script(request.headers):
        response: HttpResponse = JsonResponse(for_scripts(STALE, speaks), status=403)
    else:
        response = HttpResponse(for_people(STALE, speaks, way_back(request)), status=403)
    for name, value in headers_in(speaks).items():
        response.headers[name] = value
    return response


# ---------------------------------------------------------------- what is asked


def section(request: HttpRequest) -> str:
    """Return the section for a settings page; nothing where nobody is logged in."""
    try:
        if not recognized(request).is_authenticated:
            return ""
        facts = facts_of(request)
    except Exception as error:  # noqa: BLE001  (a settings page must not fall with its last section)
        report("The facts for the closing section failed", error)
        facts = None
    return _section(request, facts, level=2)


def _asked(request: HttpRequest) -> HttpResponse:
    if recognized(request).is_authenticated:
        return _closing_page(request)
    if _wants_json(request):
        return _problem(request, Answer(Outcome.SIGNED_OUT))
    terms = wording(sound(home())).terms()
    return _page(request, "signed_out", told=settings.page().recipients, terms=terms)


def _closing_page(request: HttpRequest, answer: Answer | None = None) -> HttpResponse:
    facts = facts_of(request)
    if _wants_json(request):
        return _json(_as_data(request, facts))
    message = language().say(answer.message) if answer is not None else None
    status = STATUS[answer.outcome] if answer is not None else 200
    shown = _section(request, facts, level=1, message=message)
    return _page(request, "closing", status, section=shown)


def _as_data(request: HttpRequest, facts: Facts) -> dict[str, Any]:
    return {
        "goes": facts.consequences.goes,
        "stays": [plain_line(line) for line in facts.consequences.stays],
        "told": facts.consequences.told,
        "names": facts.consequences.names,
        "blockers": _said(facts.blockers),
        "proof": facts.proof.value,
        "log_in": paths_of(request).log_in,
        "csrf_token": get_token(request),
    }


# ---------------------------------------------------------------- what is sent


def _posted(request: HttpRequest) -> HttpResponse:
    try:
        fields = _fields(request)
    except (ValueError, RecursionError):
        problem = {"error": "unreadable", "message": language().say(UNREADABLE)}
        return _json(problem, 400)
    answer = attempt(request, fields, channel="program" if _wants_json(request) else "form")
    if answer.outcome is Outcome.CLOSED:
        return _told(request, answer)
    if _wants_json(request) or answer.outcome is Outcome.FAILED:
        return _problem(request, answer)
    if answer.outcome is Outcome.SIGNED_OUT:
        return _leave(request, answer)
    return _waiting(_closing_page(request, answer), answer)


def _fields(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type != _JSON:
        return dict(request.POST.items())
    fields = json.loads(request.body)
    if not isinstance(fields, dict):
        raise ValueError(UNREADABLE)  # noqa: TRY004  (a value that was sent, no mistake of ours)
    return fields


def _told(request: HttpRequest, answer: Answer) -> HttpResponse:
    try:
        return _closed(request, answer)
    except Exception as error:  # noqa: BLE001  (the account is closed: no answer may deny it)
        report("The answer to a closing failed", error)
        return _forget(_bare(request, {"status": "closed"}, answer.message))


def _closed(request: HttpRequest, answer: Answer) -> HttpResponse:
    assert answer.receipt is not None  # noqa: S101  (a closing has one)
    if not _wants_json(request):
        return _leave(request, answer)
    record = plain(wording(sound(home())).record(answer.receipt))
    _log_out(request)
    message = language().say(answer.message)
    return _forget(_json({"status": "closed", "message": message, **record}))


def _leave(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Lead to the farewell, or to the project's own page with a message."""
    paths = paths_of(request)
    to = paths.redirect or paths.after(answer) or paths.path
    _log_out(request)
    if paths.redirect is not None:
        messages.success(request, language().say(answer.message), fail_silently=True)
    response = HttpResponseRedirect(to, headers={"Cache-Control": "no-store"})
    response.status_code = 303
    return _forget(response)


def _log_out(request: HttpRequest) -> None:
    # Receivers of user_logged_out are given nobody: the user has gone.
    request.user = AnonymousUser()
    if hasattr(request, "session"):
        logout(request)


def _forget(response: HttpResponse) -> HttpResponse:
    """Clear the project's cookies that sign this browser in."""
    for name in settings.page().clear_cookies:
        response.delete_cookie(
            name,
            path=django_settings.SESSION_COOKIE_PATH,
            domain=django_settings.SESSION_COOKIE_DOMAIN,
            samesite=django_settings.SESSION_COOKIE_SAMESITE,
        )
    return response


# ---------------------------------------------------------------- answers


def _farewell(request: HttpRequest, receipt: Receipt | None) -> HttpResponse:
    if receipt is None:
        if _wants_json(request):
            return _json({"error": "unknown", "message": language().say(UNKNOWN)}, 404)
        return _page(request, "done", 404, closed_on=None)
    record = wording(sound(home())).record(receipt)
    if _wants_json(request):
        return _json(plain(record))
    return _page(request, "done", **record)


def _failed(request: HttpRequest) -> HttpResponse:
    answer = Answer(Outcome.FAILED)
    try:
        return _problem(request, answer)
    except Exception as error:  # noqa: BLE001  (what has failed once may fail again)
        report("The page for failures failed, too", error)
        return _bare(request, {"error": "failed"}, answer.message, STATUS[answer.outcome])


def _bare(
    request: HttpRequest, data: Mapping[str, str], sentence: str, status: int = 200
) -> HttpResponse:
    """Answer with *sentence* alone: no template, no route, no statement."""
    if _wants_json(request):
        return _json({**data, "message": language().say(sentence)}, status)
    return _with_headers(HttpResponse(bare(sentence, language()), status=status))


def _problem(request: HttpRequest, answer: Answer) -> HttpResponse:
    status, message = STATUS[answer.outcome], language().say(SENTENCES[answer.outcome])
    if not _wants_json(request):
        return _waiting(_page(request, "message", status, message=message), answer)
    problem: dict[str, Any] = {"error": answer.outcome.name.lower(), "message": message}
    if answer.outcome in (Outcome.SIGNED_OUT, Outcome.STALE):
        problem["log_in"] = paths_of(request).log_in
    if answer.blockers:
        problem["blockers"] = _said(answer.blockers)
    return _waiting(_json(problem, status), answer)


def _said(blockers: Iterable[Blocker]) -> list[dict[str, str]]:
    return [blocker.said(language().code) for blocker in blockers]


def _section(
    request: HttpRequest, facts: Facts | None, *, level: int, message: str | None = None
) -> str:
    context = {**_context(request), "level": level, "below": level + 1, "message": message}
    if facts is None:
        context |= {"proof": "unknown", "blockers": (), "consequences": None}
    else:
        context |= {
            **vars(facts),
            "proof": facts.proof.value,
            "blockers": _said(facts.blockers),
        }
    text: str = render_to_string("efface/section.html", context, request)
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


def _waiting(response: HttpResponse, answer: Answer) -> HttpResponse:
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _asset(path: Path, kind: str) -> HttpResponse:
    # Read at once: a server that hears of the end first would leave an open file behind.
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(path.read_bytes(), content_type=kind, headers=headers)


def _receipt(reference: str) -> Receipt | None:
    from efface.django.models import Closing  # noqa: PLC0415  # needs the models loaded

    if not (reference.isascii() and reference.isalnum() and len(reference) <= _LONGEST):
        return None
    found = Closing.objects.using(home()).filter(reference=reference)
    text = found.values_list("receipt", flat=True).first()
    return Receipt.from_json(text) if text is not None else None


def _wants_json(request: HttpRequest) -> bool:
    """Tell whether a program asks: it says so, or has sent JSON and does not want a page."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    return _JSON in accept or request.content_type == _JSON
