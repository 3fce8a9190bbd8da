"""Carry signals between the workers of a site through Redis.

Efface only publishes and subscribes, so Redis stores nothing.
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
"""Seconds before each new attempt to reach Redis; the last one repeats."""

_SECONDS = 1.0
_SILENCE = 15.0
_MOST_WAITING = 1000


class RedisBroker:
    """Carry signals between all processes that share a Redis server and a secret.

    A signal that doesn't reach Redis is lost, and delays its sender for at most a second. After
    Redis was away, each process checks the sessions of all its sockets again. The log says when
    Redis goes away and when it is back.

    Args:
        url: The address of Redis, such as ``"redis://localhost:6379/0"``.
        secret: Shared by all processes of the site, at least 16 bytes. It signs the signals,
            names the channel, and hides primary keys.
        randomness: Returns that many random bytes. It names this process among the others.

    Raises:
        ValueError: *secret* is shorter than 16 bytes, or *url* is not the address of a Redis.

    Example:
        With a secret from your settings::

            AccountClosing(..., broker=RedisBroker("redis://localhost/0", secret=secret))
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
        """Return a keyed name for the user, the same in all processes of the site."""
        return self._signer.topic(subject)

    def join(self, hear: Hear) -> Tell:
        """Pass the signals of others to *hear*, and return the function that sends them one.

        Raises:
            RuntimeError: Another `Live` has joined already.
        """
        if self._hear is not None:
            raise RuntimeError("A RedisBroker serves one Live. Make another one for this Live.")
        self._hear = hear
        return self._tell

    def announce(self, signal: Signal) -> None:
        """Send a signal from a process without an event loop, over its own connection."""
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
        """Carry signals as long as the context lasts; don't wait for a Redis that is down."""
        # Tried once, because the code below decides whether to try again.
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
                # Dropped rather than sent late, because an event is about the page of that moment.
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
                logger.warning("Redis can be reached again.")
                # Signals sent meanwhile are lost, but sessions can be checked again.
                await self._pass_on(Signal("recheck", None))

    async def _read(self, message: object) -> None:
        try:
            origin, signal = self._signer.read(message)
        except UnreadableSignalError:
            self._unreadable += 1
            if not self._unreadable & (self._unreadable - 1):  # at 1, 2, 4, 8 …
                logger.warning("Unreadable signals from Redis so far: %d.", self._unreadable)
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
        # Logged once for each time that Redis is away.
        if not self._is_lost:
            self._is_lost = True
            logger.warning(
                "Redis cannot be reached (%s). Open pages on other workers get no events, and "
                "notice the end of a session at their next event.",
                why,
            )


async def _next(channel: PubSub) -> Mapping[str, object]:
    """Return the next message; after a long silence it is the answer to a ping.

    Raises:
        TimeoutError: There is no answer, so the other side is gone.
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
