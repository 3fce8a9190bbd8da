"""Read a small form and leave the request readable for the next reader."""

from __future__ import annotations

import json
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qsl

from starlette.types import Message as ASGIMessage
from starlette.types import Receive

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"
LARGEST = 1024 * 1024
_MOST_FIELDS = 1000


class FormTooLargeError(Exception):
    """The form is larger than the limit."""


class UnreadableFormError(Exception):
    """The body doesn't match its content type."""


class DisconnectedError(Exception):
    """The browser disconnected before the form was complete."""


def kind_of(content_type: str) -> str:
    """Return the media type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


async def read_body(receive: Receive, limit: int = LARGEST) -> bytes:
    """Return the whole body.

    Raises:
        FormTooLargeError: The body is longer than *limit*.
        DisconnectedError: The browser disconnected before the end.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        body += message.get("body", b"")
        if len(body) > limit:
            raise FormTooLargeError
        if not message.get("more_body", False):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives *body* once, and then the messages of *receive*."""
    pending: list[ASGIMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> ASGIMessage:
        return pending.pop() if pending else await receive()

    return again


def read_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the text fields of a form, or the members of a JSON object that are texts.

    Of a repeated field it returns the first. A form that is not readable has no fields.

    Raises:
        UnreadableFormError: The content type is JSON, and the body is not a JSON object.
    """
    fields: dict[str, str] = {}
    kind = kind_of(content_type)
    if kind == JSON:
        pairs = _json(body)
    elif kind == URLENCODED:
        pairs = _urlencoded(body)
    elif kind == MULTIPART:
        pairs = _multipart(content_type, body)
    else:
        pairs = []
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def _json(body: bytes) -> list[tuple[str, str]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableFormError from None
    if not isinstance(value, dict):
        raise UnreadableFormError
    return [(name, text) for name, text in value.items() if isinstance(text, str)]


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    # The standard library reads MIME. A form parser would be one more dependency, for one short
    # field.
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    message = BytesParser().parsebytes(head + body)
    pairs = []
    for prepare in message.get_payload() if message.is_multipart() else []:
        if not isinstance(prepare, Message) or prepare.get_filename() is not None:
            continue
        name = prepare.get_param("name", header="content-disposition")
        value = prepare.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            pairs.append((name, value.decode("utf-8", "replace")))
    return pairs
