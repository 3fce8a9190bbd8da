"""Serve the WebSocket on Django, next to the ASGI application.

Example:
    In ``myapp/asgi.py``, with ``live = Live("/live")`` from ``myapp/live.py``::

        application = live.beside(get_asgi_application())

    The setting ``LIVE`` names the object, so that pages find the WebSocket and closures end it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import get_script_prefix
from django.db import close_old_connections, transaction
from django.http import HttpRequest
from django.urls import set_script_prefix
from django.utils import translation

from efface.django import settings
from efface.django.live.handshake import Handshake
from efface.django.page.active_language import language
from efface.django.page.closing_attempt import attempt
from efface.django.page.logged_in_user import find_logged_in_user
from efface.django.page.page_paths import paths_of
from efface.django.policy.erasers import find_user_database
from efface.errors import SettingsError
from efface.live import live_event
from efface.live.anonymize_event import EVENT, conclude
from efface.live.broker import Broker, Signal
from efface.live.closing_progress import Progress
from efface.live.frames import LARGEST
from efface.live.open_sockets import OpenSockets
from efface.live.socket_writer import Socket
from efface.page.attempt_outcome import AttemptResult
from efface.page.local_paths import is_local_path
from efface.safe_logging import reporter

T = TypeVar("T")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

report = reporter("efface.django")

# The page that asked for the closure that runs here. It is logged out last, after its answer.
_asking: ContextVar[Handshake | None] = ContextVar("_asking", default=None)


class LiveEvent(live_event.LiveEvent):
    """An event that a page sends, as its handler receives it.

    Attributes:
        subject: The user's primary key, confirmed again for this event.
        name: Name of the event.
        payload: The data that the page sent. It may be hostile.
    """

    def request(self) -> HttpRequest:
        """Return a request with the data of the handshake, and its session as it is now."""
        return cast("Handshake", self.connection).request()


class Live(OpenSockets):
    """The WebSockets of one process, by user.

    The broker passes each message on to the WebSockets of the other workers. A WebSocket that
    misses the end of its session notices it at its next event, because Efface checks for each
    event who is logged in.

    Args:
        path: The WebSocket's path, such as ``"/live"``.
        largest_message: The most characters of a message from a page. A longer one closes the
            WebSocket.
        sockets_per_person: The most open WebSockets of one user in this process.
        broker: Connects several workers: `efface.live.redis.RedisBroker`. A single worker needs
            none.

    Raises:
        SettingsError: *path* is the root, or not a path of this site.

    Example:
        >>> live = Live("/live", broker=RedisBroker("redis://localhost/0", secret=SECRET))
    """

    event = LiveEvent

    def __init__(
        self,
        path: str,
        *,
        largest_message: int = LARGEST,
        sockets_per_person: int = 50,
        broker: Broker | None = None,
    ) -> None:
        super().__init__(
            largest_message=largest_message, sockets_per_person=sockets_per_person, broker=broker
        )
        if not is_local_path(path) or not path.rstrip("/"):
            raise SettingsError('The WebSocket needs its own path on this site: Live("/live")')
        self.path = path.rstrip("/")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connected: asyncio.Event | None = None
        """Set when this process is connected with the others. None while it is not connecting."""
        self.on(EVENT)(self._on_anonymize)

    def beside(self, application: App) -> App:
        """Return *application* with the WebSocket at `path`, connected with the other workers.

        Efface answers the lifespan, and *application* everything else. If the server has no
        lifespan, the first WebSocket connects this process with the others.

        Raises:
            SettingsError: ``LIVE`` in the settings names another object, or none.
        """
        if settings.page_settings().live is not self:
            raise SettingsError('EFFACE must name this object in LIVE: "LIVE": "myapp.live.live"')

        async def both(scope: Any, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            elif scope["type"] == "websocket" and self._is_here(scope):
                await self._endpoint(scope, receive, send)
            else:
                await application(scope, receive, send)

        return both

    def recheck_soon(self, subject: Hashable) -> None:
        """Log out and close the user's WebSockets without a session, after the commit.

        For synchronous code, such as a view that logs the user out. It returns immediately.
        """
        signal = Signal("recheck", self._topic(subject))
        transaction.on_commit(
            lambda: self._soon(lambda: self.recheck(subject), signal),
            using=find_user_database(),
            robust=True,
        )

    def end_soon(self, subject: Hashable) -> None:
        """Log out and close all WebSockets of the user, from synchronous code, immediately."""
        asking, signal = _asking.get(), Signal("end", self._topic(subject))
        self._soon(lambda: self.end(subject, besides=asking), signal)

    async def who(self, connection: Handshake) -> Hashable | None:
        """Return the primary key of the user who is logged in at a handshake now."""
        key: Hashable | None = await _in_thread(
            lambda: find_logged_in_user(connection.request()).pk
        )
        return key

    # ------------------------------------------------------------ the server's side

    def _is_here(self, scope: Mapping[str, Any]) -> bool:
        path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
        return path.rstrip("/") == self.path

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._loop, connected = asyncio.get_running_loop(), asyncio.Event()
        self._connected = connected
        async with self.running():
            connected.set()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _connect(self) -> None:
        """Connect with the other workers while this loop runs, unless this process is connected."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._connected is None:
            self._loop, self._connected = loop, asyncio.Event()
            self._keep(_quietly(self._hold(self._connected)))
        await self._connected.wait()

    async def _hold(self, connected: asyncio.Event) -> None:
        try:
            async with self.running():
                connected.set()
                await asyncio.Event().wait()
        finally:
            # The next WebSocket tries again. Each event still checks who is logged in.
            self._connected = None
            connected.set()

    async def _endpoint(self, scope: Message, receive: Receive, send: Send) -> None:
        await self._connect()
        set_script_prefix(get_script_prefix(scope))
        handshake = Handshake(scope)
        await receive()  # it opens with websocket.connect
        try:
            is_genuine = await _in_thread(handshake.is_genuine)
            code, to = handshake.language(), paths_of(handshake.request()).public
        except Exception as error:  # noqa: BLE001  (an answer for the page, never a trace)
            report("The handshake of a WebSocket failed", error)
            is_genuine = False
        if not is_genuine:
            # Before accepting it, so that the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1000})
            return

        def say(sentence: str) -> str:
            with translation.override(code):
                return language().say(sentence)

        await send({"type": "websocket.accept"})
        await self.serve(Socket(handshake, receive, send, say, to))

    def _topic(self, subject: Hashable) -> str:
        return self._broker.topic(subject)

    def _soon(self, begin: Callable[[], Coroutine[Any, Any, None]], signal: Signal) -> None:
        """Begin in the event loop of the site. Without one, only send to the other processes."""
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(lambda: self._keep(_quietly(begin())))
        else:
            # In a command. It waits for this thread, which is not a daemon.
            threading.Thread(target=self._broker.announce, args=(signal,)).start()

    # ------------------------------------------------------------ closing

    async def _on_anonymize(self, event: LiveEvent) -> None:
        handshake = cast("Handshake", event.connection)
        progress = Progress(event.push)
        before = _asking.set(handshake)
        try:
            async with progress.reporting():
                answer, message, to = await _in_thread(
                    lambda: _closed(handshake, event.payload, progress)
                )
        finally:
            _asking.reset(before)
        conclude(event, answer, message, to=to)


def _closed(
    handshake: Handshake, fields: Mapping[str, Any], progress: Progress
) -> tuple[AttemptResult, str, str | None]:
    """Try to close the account. Return the result, its message, and where the page goes."""
    request = handshake.request()
    with translation.override(handshake.language()):
        answer = attempt(request, fields, channel="socket", on_progress=progress.note)
        message = language().say(answer.message)
    return answer, message, paths_of(request).after(answer)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run *work* with its own database connection, and return its result."""

    def run() -> T:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    found: T = await sync_to_async(run, thread_sensitive=False)()
    return found


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001  (nothing waits for the result)
        report("Sending to WebSockets failed", error)
