"""What stands between a request and a storage that may be gone: bounded in time, asked again by itself."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from chatkit_prod.errors import stack_of

from .backend import StorageDownError

T = TypeVar("T")

_PAUSE = 1.0

logger = logging.getLogger("chatkit_prod")


class Breaker:
    """Asks a storage, and leaves it alone for a second after it has failed; then one request tries again.

    An outage is logged once, and so is its end.

    Args:
        timeout: Seconds that one answer may take.
        now: A clock in seconds that never goes back.
    """

    def __init__(self, *, timeout: float, now: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._now = now
        self._failed_at: float | None = None
        self._closed_until = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what the storage answers.

        Args:
            ask: Asks it; may raise anything.

        Raises:
            StorageDownError: It has failed, took too long, or has failed less than a second ago.
        """
        failed_at = self._failed_at
        if failed_at is not None:
            if self._now() < self._closed_until:
                raise StorageDownError
            self._closed_until = self._now() + _PAUSE + self._timeout  # the others do not wait for this one
        try:
            answer = await self._asked(ask)
        except Exception as error:  # noqa: BLE001 - a client may raise anything
            self._fail(error)
            raise StorageDownError from None
        if failed_at is not None:  # one that was asked before the failure says nothing about now
            logger.warning("limits: the storage answers again, after %.1f s", self._now() - failed_at)
            self._failed_at = None
        return answer

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask in a task of its own: a request that is cancelled does not cancel a client in the middle of an answer.

        That of Redis does not always pass it on (redis-py 8.1), and would have to open its connection anew.
        """

        async def asking() -> T:
            return await ask()

        task = asyncio.get_running_loop().create_task(asking())
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        await asyncio.wait((task,), timeout=self._timeout)
        if not task.done():
            task.cancel()
            raise TimeoutError
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone

    def _fail(self, error: Exception) -> None:
        self._closed_until = self._now() + _PAUSE
        if self._failed_at is None:
            self._failed_at = self._now()
            logger.error("limits: the storage does not answer\n%s", stack_of(error))
