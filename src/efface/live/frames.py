"""Read the messages of a WebSocket without trusting them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

LARGEST = 64 * 1024
LARGEST_NAME = 64
_LARGEST_NUMBER = 2**53

MessageId = str | int


class UnreadableError(Exception):
    """A message doesn't have the form that the protocol requires.

    Attributes:
        id: Its id, if it was readable.
        message: A sentence for the developer of the client.
    """

    def __init__(self, message: str, id: MessageId | None = None) -> None:  # noqa: A002  (the protocol's name)
        super().__init__(message)
        self.message = message
        self.id = id


@dataclass(frozen=True)
class Frame:
    """One message of a client. Its payload may contain a password, so `repr` leaves it out."""

    id: MessageId
    event: str
    payload: dict[str, Any] = field(repr=False)


def read_frame(message: Mapping[str, Any]) -> Frame:
    """Return the frame in an ASGI ``websocket.receive`` message.

    Raises:
        UnreadableError: It is binary, not JSON, or doesn't have the required form.
    """
    text = message.get("text")
    if not isinstance(text, str):
        raise UnreadableError("The message is binary. Send JSON as text.")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UnreadableError("The message isn't JSON.") from None
    if not isinstance(value, dict):
        raise UnreadableError("The message isn't a JSON object.")
    id_ = value.get("id")
    if not is_id(id_):
        raise UnreadableError("The message has no id. Add a short text or a whole number.")
    event, payload = value.get("event"), value.get("payload", {})
    if not isinstance(event, str) or not 0 < len(event) <= LARGEST_NAME:
        raise UnreadableError("The message has no event. Add the name of one.", id_)
    if not isinstance(payload, dict):
        raise UnreadableError("The payload isn't a JSON object.", id_)
    return Frame(id_, event, payload)


def is_id(value: object) -> TypeGuard[MessageId]:
    """Tell whether *value* can be the id of a message: a short text or a whole number."""
    if isinstance(value, str):
        return 0 < len(value) <= LARGEST_NAME
    # In Python a bool is an int, and true would share its answer with 1.
    return type(value) is int and abs(value) <= _LARGEST_NUMBER


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
