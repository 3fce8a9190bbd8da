"""Open sockets end with the account: a layer around the consumers of Django Channels.

A socket keeps the user that it was opened with, and no request ever asks for them again. So each
socket joins a group of its person, and the commit of a closing tells that group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model

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
    """Ends the sockets of a person, with code 4401, when their account is closed.

    It stands inside of what puts the user into the scope::

        AuthMiddlewareStack(CloseSocketsMiddleware(URLRouter(...)))
    """

    def __init__(self, inner: App) -> None:
        """Keep the application that is asked where nobody has left."""
        self._inner = inner

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Run one connection."""
        key = getattr(scope.get("user"), "pk", None)
        layer = get_channel_layer()
        if scope["type"] != "websocket" or key is None or layer is None:
            await self._inner(scope, receive, send)
            return
        channel, group = await layer.new_channel(), group_of(key)
        await layer.group_add(group, channel)
        line = _Line(receive, send)
        # The other way round a closing between the two would be missed.
        if not await sync_to_async(_is_open)(key):
            await line.end()
        listening = asyncio.ensure_future(_listen(layer, channel, line))
        try:
            await self._inner(scope, line.receive, line.send)
        finally:
            listening.cancel()
            await layer.group_discard(group, channel)


class _Line:
    """One socket; when it has ended the application hears that the other side has gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._ended = asyncio.Event()

    async def end(self) -> None:
        self._ended.set()
        await self._send({"type": "websocket.close", "code": LOGGED_OUT})

    async def send(self, message: Message) -> None:
        if not self._ended.is_set():
            await self._send(message)

    async def receive(self) -> Message:
        coming = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                return {"type": "websocket.disconnect", "code": LOGGED_OUT}
            return coming.result()
        finally:
            coming.cancel()
            ending.cancel()


async def _listen(layer: Any, channel: str, line: _Line) -> None:
    while await layer.receive(channel) != CLOSED:
        pass
    await line.end()


def group_of(key: Any) -> str:
    """Return the name of the group of the person with this primary *key*; it says nobody's."""
    return "efface." + Fingerprints(settings.efface_settings().secret).of("sockets", (key,))


def end_sockets(key: Any) -> None:
    """End the open sockets of the person with this primary *key*, in every process."""
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.group_send)(group_of(key), CLOSED)


def follow_closings() -> None:
    """End sockets whenever the closing of an account is committed."""
    account_closed.connect(_after_closing, dispatch_uid="efface.django.channels")


def _after_closing(subject: Any, **_: Any) -> None:
    end_sockets(subject)


def _is_open(key: Any) -> bool:
    return bool(get_user_model()._base_manager.filter(pk=key).exists())
