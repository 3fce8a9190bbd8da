"""Signals between the workers of a site, through Redis.

    RedisBroker("redis://localhost/0", secret=...)

Only its publish and subscribe are used: Redis stores nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager, suppress

try:
    from redis import Redis as BlockingRedis
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry as BlockingRetry
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f'efface.live.redis needs {missing.name}. Install it: pip install "efface[redis]"',
        name=missing.name,
    ) from None

from efface.live.broker import Hear, Signal, Tell
from efface.live.signed_signals import SignalSigner, UnreadableSignalError
from efface.safe_logging import reporter

logger = logging.getLogger("efface.live")
report = reporter("efface.live")

DELAYS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each new try to reach Redis; the last one again and again."""

_SECONDS = 1.0
_SILENCE = 15.0
_MOST_WAITING = 1000


class RedisBroker:
    """Carries signals between all processes that share a Redis and a secret.

    A signal that does not get through is lost, and nobody waits longer than a second for
    it. After a gap every process asks all its sockets anew who is behind them.

    Args:
        url: Where Redis is, such as ``"redis://localhost:6379/0"``.
        secret: Shared by all processes of the site, at least 16 bytes. It signs the signals,
            names the channel, and hides primary keys.
        randomness: Names this process among the others.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._url = url
        self._signer = SignalSigner(secret)
        self._channel = f"efface:{self._signer.site}"
        self._origin = randomness(8).hex()
        self._hear: Hear | None = None
        self._waiting: asyncio.Queue[tuple[bytes, asyncio.Future[None]]] | None = None
        self._subscribed = asyncio.Event()
        self._is_lost = False
        self._tries = 0
        self._unreadable = 0

    def topic(self, subject: Hashable) -> str:
        """Return a keyed name for the person, the same in all processes of the site."""
        return self._signer.topic(subject)

    def join(self, hear: Hear) -> Tell:
        """Hand over what others tell to *hear*, and return the way to tell them.

        Raises:
            RuntimeError: Somebody has joined already; each `Live` needs a broker of its own.
        """
        if self._hear is not None:
            raise RuntimeError("A RedisBroker serves one Live. Make another one.")
        self._hear = hear
        return self._tell

    def announce(self, signal: Signal) -> None:
        """Tell the others from a process without an event loop, over a connection of its own."""
        message = self._signer.write(signal, self._origin)
        try:
            with BlockingRedis.from_url(
                self._url,
                socket_timeout=_SECONDS,
                socket_connect_timeout=_SECONDS,
                retry=BlockingRetry(NoBackoff(), 0),
            ) as redis:
                redis.publish(self._channel, message)
        except (RedisError, OSError) as error:
            self._lost(type(error).__name__)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry signals for as long as the context lasts; do not wait for a dead Redis."""
        # Tried once: whether to try again is decided below.
        pool = ConnectionPool.from_url(
            self._url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        redis = Redis(connection_pool=pool)
        self._waiting = asyncio.Queue(_MOST_WAITING)
        tasks = [asyncio.create_task(work(redis)) for work in (self._listen, self._send)]
        with suppress(TimeoutError):
            await asyncio.wait_for(self._subscribed.wait(), _SECONDS)
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            with suppress(TimeoutError):
                await asyncio.wait_for(waiting.join(), _SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while not waiting.empty():
                _done(waiting.get_nowait()[1])
            with suppress(RedisError, OSError):
                await redis.aclose()
            await pool.disconnect()

    async def _tell(self, signal: Signal) -> None:
        message = self._signer.write(signal, self._origin)
        if self._waiting is None or self._waiting.full():
            self._lost("the site has not started" if self._waiting is None else "too many wait")
            return
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((message, sent))
        with suppress(TimeoutError):
            await asyncio.wait_for(sent, _SECONDS)

    async def _send(self, redis: Redis) -> None:
        waiting = self._waiting
        while waiting is not None:
            message, sent = await waiting.get()
            try:
                await redis.publish(self._channel, message)
            except (RedisError, OSError) as error:
                self._lost(type(error).__name__)
                # Late is worse than never: an event is about the page of that moment.
                while not waiting.empty():
                    _done(waiting.get_nowait()[1])
                    waiting.task_done()
            finally:
                _done(sent)
                waiting.task_done()

    async def _listen(self, redis: Redis) -> None:
        while True:
            self._subscribed.clear()
            try:
                async with redis.pubsub() as channel:
                    await channel.subscribe(self._channel)
                    while True:
                        await self._receive(await _next(channel))
            except (RedisError, OSError) as error:
                self._lost(type(error).__name__)
            if self._subscribed.is_set():
                self._tries = 0
            await asyncio.sleep(DELAYS[min(self._tries, len(DELAYS) - 1)])
            self._tries += 1

    async def _receive(self, message: Mapping[str, object]) -> None:
        if message["type"] == "message":
            await self._read(message["data"])
        elif message["type"] == "subscribe":
            self._subscribed.set()
            if self._is_lost:
                self._is_lost = False
                logger.warning("The broker is within reach again.")
                # What was told meanwhile is lost; who is still signed in can be asked.
                await self._pass_on(Signal("recheck", None))

    async def _read(self, message: object) -> None:
        try:
            origin, signal = self._signer.read(message)
        except UnreadableSignalError:
            self._unreadable += 1
            if not self._unreadable & (self._unreadable - 1):  # at 1, 2, 4, 8 …
                logger.warning("Unreadable signals on the broker so far: %d.", self._unreadable)
            return
        if origin != self._origin:
            await self._pass_on(signal)

    async def _pass_on(self, signal: Signal) -> None:
        if self._hear is None:
            return
        try:
            await self._hear(signal)
        except Exception as error:  # noqa: BLE001  (one signal must not end all others)
            report("A signal from another process failed", error)

    def _lost(self, why: str) -> None:
        # Said once for each time that Redis is away.
        if not self._is_lost:
            self._is_lost = True
            logger.warning(
                "The broker is out of reach (%s). Open pages on other workers are told nothing, "
                "and notice the end of a session at their next event.",
                why,
            )


async def _next(channel: PubSub) -> Mapping[str, object]:
    """Return the next message; after a long silence it is the answer to a ping.

    Raises:
        TimeoutError: There is none: the other side is gone without a word.
    """
    message: Mapping[str, object] | None = await channel.get_message(timeout=_SILENCE)
    if message is None:
        await channel.ping()
        message = await channel.get_message(timeout=_SECONDS)
    if message is None:
        raise TimeoutError
    return message


def _done(sent: asyncio.Future[None]) -> None:
    if not sent.done():
        sent.set_result(None)
