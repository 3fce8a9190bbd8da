"""Close the WebSockets of Django Channels when the user's account closes.

A WebSocket has the user with whom it was opened, and no later request checks that user. Each
WebSocket joins a group of its user, and the commit of a closure sends a message to that group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model

try:
    from channels.layers import get_channel_layer
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"efface.django.channels needs {missing.name}. Install it: pip install channels",
        name=missing.name,
    ) from None

from efface.django import settings
from efface.django.signals import account_closed
from efface.store.fingerprints import Fingerprints

LOGGED_OUT = 4401
CLOSED = {"type": "efface.closed"}
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]


class CloseSocketsMiddleware:
    """Close the WebSockets of a user, with code 4401, when the account closes.

    Put it inside the middleware that adds the user to the scope.

    Example:
        AuthMiddlewareStack(CloseSocketsMiddleware(URLRouter(...)))
    """

    def __init__(self, inner: App) -> None:
        """Wrap the application *inner*."""
        self._inner = inner

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Run one connection until it ends or the account closes."""
        key = getattr(scope.get("user"), "pk", None)
        layer = get_channel_layer()
        if scope["type"] != "websocket" or key is None or layer is None:
            await self._inner(scope, receive, send)
            return
        # A channel of our own, because the consumer reads from the one that Channels gives it.
        channel, group = await layer.new_channel(), get_group_name(key)
        await layer.group_add(group, channel)
        socket = _Socket(receive, send)
        # Join the group before this query. In the other order the WebSocket would miss a closure
        # that commits between the two.
        if not await sync_to_async(_is_open)(key):
            await socket.close()
        listening = asyncio.ensure_future(_wait_for_closure(layer, channel, socket))
        try:
            await self._inner(scope, socket.receive, socket.send)
        finally:
            listening.cancel()
            await layer.group_discard(group, channel)


class _Socket:
    """One WebSocket. When it is closed, the application receives a disconnect message."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._ended = asyncio.Event()

    async def close(self) -> None:
        """Close the WebSocket, and drop what the application sends later."""
        self._ended.set()
        await self._send({"type": "websocket.close", "code": LOGGED_OUT})

    async def send(self, message: Message) -> None:
        # ASGI servers raise an error for a message after the close.
        if not self._ended.is_set():
            await self._send(message)

    async def receive(self) -> Message:
        # The application waits here, so a closure must interrupt the wait.
        incoming = asyncio.ensure_future(self._receive())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((incoming, ended), return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                return {"type": "websocket.disconnect", "code": LOGGED_OUT}
            return incoming.result()
        finally:
            incoming.cancel()
            ended.cancel()


async def _wait_for_closure(layer: Any, channel: str, socket: _Socket) -> None:
    while await layer.receive(channel) != CLOSED:
        pass
    await socket.close()


def get_group_name(key: Any) -> str:
    """Return the group of the user with this primary *key*. The name does not reveal the key."""
    return "efface." + Fingerprints(settings.efface_settings().secret).of("sockets", (key,))


def close_sockets(key: Any) -> None:
    """Close the open WebSockets of the user with this primary *key*, in each process."""
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.group_send)(get_group_name(key), CLOSED)


def connect_signals() -> None:
    """Close WebSockets after each commit that closes an account."""
    account_closed.connect(_on_account_closed, dispatch_uid="efface.django.channels")


def _on_account_closed(subject: Any, **_: Any) -> None:
    close_sockets(subject)


def _is_open(key: Any) -> bool:
    return bool(get_user_model()._base_manager.filter(pk=key).exists())
