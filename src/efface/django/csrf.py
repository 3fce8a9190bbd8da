"""``CSRF_FAILURE_VIEW = "efface.django.csrf.csrf_failure"``: explain an expired form."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from efface.django.page.active_language import language
from efface.django.page.page_paths import way_back
from efface.django.page.request_format import wants_json
from efface.page.csrf_refusal import (
    STALE,
    is_script,
    refusal_as_json,
    refusal_headers,
    refusal_page,
)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  (for the log)
    """Refuse a form that no page of this session sent, with status 403.

    Users get a page in their language with what to do next. Scripts get JSON.

    Args:
        request: The refused request.
        reason: Django's reason, for the log only.
    """
    speaks = language()
    if wants_json(request) or is_script(request.headers):
        response: HttpResponse = JsonResponse(refusal_as_json(STALE, speaks), status=403)
    else:
        response = HttpResponse(refusal_page(STALE, speaks, way_back(request)), status=403)
    for name, value in refusal_headers(speaks).items():
        response.headers[name] = value
    return response
