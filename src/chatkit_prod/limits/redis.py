"""Counters and slots that several processes and machines share.

A slot is a member of a sorted set, whose score says until when it is held, by Redis's own clock. Whoever holds it says so
again three times per lease; that of a process which died is free once its lease is over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, cast

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from chatkit_prod.errors import ConfigurationError

from .backend import StorageDownError
from .breaker import Breaker
from .counters import Counters
from .rules import Window
from .standing import Standing

PREFIX: Final = "chatkit_prod:limits"
"""What every key begins with."""

_CONNECTIONS = 50
_CLOSING = 2.0

_TAKE = """
local now = redis.call('TIME')
local time = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time)
if ARGV[3] ~= '' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
    return 0
end
redis.call('ZADD', KEYS[1], time + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""Takes a slot, if there is one left. Without a limit it holds one that was taken; after a restart of Redis, anew.

A connection that Redis has closed meanwhile is opened anew, and the command sent again: so it may come twice.
"""

_Script = Callable[[list[str], list[str | int]], Awaitable[int]]


class RedisBackend:
    """Counters and slots on a Redis.

    Args:
        url: `redis://…` or `rediss://…`; may hold a password, and is never logged.
        lease: Seconds after which the slot of a dead process is free again.
        timeout: Seconds that one answer may take.

    Raises:
        ConfigurationError: The URL cannot be read.
    """

    def __init__(self, url: str, *, lease: float, timeout: float) -> None:
        try:
            pool = cast("Any", BlockingConnectionPool).from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=timeout,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),
            )
            storage = RedisStorage(
                "async+redis://",
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=pool,
            )
        except (ValueError, RedisError):
            raise ConfigurationError(
                "storage is no URL of a Redis, such as redis://localhost:6379/0"
            ) from None
        self._redis = Redis(connection_pool=pool)
        self._take = cast("_Script", self._redis.register_script(_TAKE))
        self._counters = Counters(storage)
        self._breaker = Breaker(timeout=timeout)
        self._lease = lease
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: set[_RedisSlot] = set()

    async def count(self, window: Window, key: str, cost: int = 1) -> Standing:
        """Count in a window, and return how it stands then."""
        return await self._breaker.run(lambda: self._counters.count(window, key, cost))

    async def look(self, window: Window, key: str) -> Standing:
        """Return how a window stands."""
        return await self._breaker.run(lambda: self._counters.look(window, key))

    async def hold(self, key: str, limit: int, token: str) -> "_RedisSlot | None":
        """Take a slot, if there is one left, and hold it until it is released."""
        slot = _RedisSlot(self, f"{PREFIX}:streams/{key}", token)
        self._slots.add(slot)
        slot.task = self._spawn(slot.hold(limit))
        slot.task.add_done_callback(lambda _: self._slots.discard(slot))
        try:
            is_taken = await asyncio.shield(slot.is_taken)
        except BaseException:
            slot.ended.set()
            raise
        return slot if is_taken else None

    async def settle(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out what is left to do, in a task that nobody cancels with the request."""
        await asyncio.shield(self._spawn(work))

    async def take(self, key: str, token: str, limit: int | None) -> bool:
        """Take a slot, or without a limit hold it for another lease."""
        arguments: list[str | int] = [token, int(self._lease * 1000), "" if limit is None else limit]
        return bool(await self._breaker.run(lambda: self._take([key], arguments)))

    async def give_back(self, key: str, token: str) -> None:
        """Give a slot back; if Redis is gone, so is the slot, once its lease is over."""
        with suppress(StorageDownError):
            await self._breaker.run(lambda: self._redis.zrem(key, token))

    async def aclose(self) -> None:
        """Give back what is taken, and close the connections."""
        for slot in self._slots:
            slot.ended.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    @property
    def renewal(self) -> float:
        """Seconds after which a slot is held for another lease."""
        return self._lease / 3

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _RedisSlot:
    """One slot, from its taking to its giving back: all in one task, so that no order of the two can be wrong."""

    __slots__ = ("_backend", "_key", "_token", "ended", "is_taken", "task")

    def __init__(self, backend: RedisBackend, key: str, token: str) -> None:
        self._backend = backend
        self._key = key
        self._token = token
        self.ended = asyncio.Event()
        self.is_taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None]

    async def hold(self, limit: int) -> None:
        try:
            is_taken = await self._backend.take(self._key, self._token, limit)
        except StorageDownError as error:
            self.is_taken.set_exception(error)
            self.is_taken.exception()  # whoever asked may be gone
            return
        self.is_taken.set_result(is_taken)
        if not is_taken:
            return
        while (
            not await self._has_ended()
        ):  # pragma: no branch - behind the timeout, coverage loses the way in
            await self._renew()
        await self._backend.give_back(self._key, self._token)

    async def _renew(self) -> None:
        with suppress(StorageDownError):
            await self._backend.take(self._key, self._token, None)

    async def _has_ended(self) -> bool:
        """Tell whether the stream has ended, after as long as a slot may go without being renewed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backend.renewal):
                await self.ended.wait()
        return self.ended.is_set()

    async def release(self) -> None:
        self.ended.set()
        await asyncio.shield(self.task)
