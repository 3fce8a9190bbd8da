"""Tell programs from browsers, and read the fields of a request."""

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
        ValueError: The content type is JSON, and the body is not a JSON object.
    """
    if request.content_type != _JSON:
        return dict(request.POST.items())
    fields = json.loads(request.body)
    if not isinstance(fields, dict):
        raise ValueError(UNREADABLE)  # noqa: TRY004  (a value that was sent, not a programming error)
    return fields


def wants_json(request: HttpRequest) -> bool:
    """Tell whether a program asks, because it accepts JSON, or sent JSON and accepts no HTML."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    return _JSON in accept or request.content_type == _JSON
