"""The live socket on Django: ``live = Live("/live")``, beside the ASGI application.

# town/asgi.py
application = live.beside(get_asgi_application())

The setting ``LIVE`` names the object, so that pages know where it is, and closures end sockets.
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

# The page that asked for the closing that runs here: it is signed out last, after its ack.
_asking: ContextVar[Handshake | None] = ContextVar("_asking", default=None)


class LiveEvent(live_event.LiveEvent):
    """One event of a page, given to its handler.

    Attributes:
        subject: Primary key of the person, confirmed anew for this event.
        name: Name of the event.
        payload: What the page sent with it. Treat it as hostile.
    """

    def request(self) -> HttpRequest:
        """Return a request with what the handshake had, and its session as it is now."""
        return cast("Handshake", self.connection).request()


class Live(OpenSockets):
    """The live sockets of one process, by person.

    What is told here is told to the sockets of the other workers too, by way of the broker. A
    socket that does not hear of the end of its session notices at its next event, because each
    event asks anew who is logged in.

    Args:
        path: Where the socket is, such as ``"/live"``.
        largest_message: Characters of a message from a page. A longer one ends its socket.
        sockets_per_person: How many a person may hold open in this process.
        broker: Reaches the other workers: `efface.live.redis.RedisBroker`. Without one this
            process is alone.

    Raises:
        SettingsError: *path* is no path of this site, or the root of it.
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
            raise SettingsError('A live socket needs a path of its own on this site: Live("/live")')
        self.path = path.rstrip("/")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connected: asyncio.Event | None = None
        """Set once this process is connected with the others; None while nothing connects it."""
        self.on(EVENT)(self._on_anonymize)

    def beside(self, application: App) -> App:
        """Return *application* with the socket at `path`, connected with the other workers.

        The lifespan is answered here, everything else by *application*. Where the server has
        none, or another part answers it, the first socket connects this process with the others.

        Raises:
            SettingsError: ``LIVE`` in the settings names another object, or none.
        """
        if settings.page_settings().live is not self:
            raise SettingsError(
                'EFFACE names in LIVE the live socket that stands beside the application: "LIVE": '
                '"town.live.live"'
            )

        async def both(scope: Any, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            elif scope["type"] == "websocket" and self._is_here(scope):
                await self._endpoint(scope, receive, send)
            else:
                await application(scope, receive, send)

        return both

    def recheck_soon(self, subject: Hashable) -> None:
        """Sign out and close the sockets of a person whose session is gone, after the commit.

        For synchronous code, such as a view that logs somebody out. It returns at once.
        """
        signal = Signal("recheck", self._topic(subject))
        transaction.on_commit(
            lambda: self._soon(lambda: self.recheck(subject), signal),
            using=find_user_database(),
            robust=True,
        )

    def end_soon(self, subject: Hashable) -> None:
        """Sign out and close every open socket of a person, from synchronous code, at once."""
        asking, signal = _asking.get(), Signal("end", self._topic(subject))
        self._soon(lambda: self.end(subject, besides=asking), signal)

    async def who(self, connection: Handshake) -> Hashable | None:
        """Return the primary key of the person behind a handshake, asked anew."""
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
        """Connect with the other workers for as long as this loop runs, if nothing does yet."""
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
            # The next socket tries again; without a broker one still asks anew at each event.
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
            report("The handshake of a live socket failed", error)
            is_genuine = False
        if not is_genuine:
            # Before it is accepted: the server answers the handshake with 403.
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
        """Begin in the event loop of the site; without one, only tell the other processes."""
        loop = self._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(lambda: self._keep(_quietly(begin())))
        else:
            # As in a command, which waits for it: it is no daemon.
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
    """Try to close; return how it ended, what is said about it, and where one goes then."""
    request = handshake.request()
    with translation.override(handshake.language()):
        answer = attempt(request, fields, channel="socket", on_progress=progress.note)
        message = language().say(answer.message)
    return answer, message, paths_of(request).after(answer)


async def _in_thread(work: Callable[[], T]) -> T:
    """Return what *work* returns, with a connection to the database of its own."""

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
    except Exception as error:  # noqa: BLE001  (nobody waits for it)
        report("Telling live sockets failed", error)
