"""Whether a program or a browser sent a request, and the fields that it sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from efface.page.attempt_outcome import UNREADABLE

_JSON = "application/json"


def read_fields(request: HttpRequest) -> Mapping[str, Any]:
    """Return the fields of a form, or the members of a JSON object.

    Raises:
        ValueError: the body is not the JSON object that it says it is.
    """
    if request.content_type != _JSON:
        return dict(request.POST.items())
    fields = json.loads(request.body)
    if not isinstance(fields, dict):
        raise ValueError(UNREADABLE)  # noqa: TRY004  (a value that was sent, no mistake of ours)
    return fields


def wants_json(request: HttpRequest) -> bool:
    """Tell whether a program asks: it says so, or has sent JSON and does not want a page."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    return _JSON in accept or request.content_type == _JSON
