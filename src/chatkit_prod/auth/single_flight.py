"""Asking once for what many want to know at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs one piece of work per key at a time, in each event loop: a task of another cannot be awaited.

    The work goes on when those who wait for it do not.
    """

    def __init__(self) -> None:
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[K, asyncio.Task[T]]]
        self._tasks = WeakKeyDictionary()

    def is_running(self, key: K) -> bool:
        """Tell whether the work is being done."""
        return self._running(key) is not None

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> bool:
        """Begin the work, unless it is being done; tell whether it has begun. Nobody waits for it."""
        if self.is_running(key):
            return False
        self._begin(key, work)
        return True

    async def join(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what comes of the work that is being done; begin it, if it is not.

        Raises:
            Exception: What the work raises.
        """
        return await asyncio.shield(self._running(key) or self._begin(key, work))

    async def settled(self, key: K) -> None:
        """Wait until the work that is being done is over, if it is, however it ends."""
        task = self._running(key)
        if task is not None:
            await asyncio.wait([task])

    def _running(self, key: K) -> asyncio.Task[T] | None:
        task = self._tasks.get(asyncio.get_running_loop(), {}).get(key)
        return None if task is None or task.done() else task

    def _begin(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        loop = asyncio.get_running_loop()
        tasks = self._tasks.setdefault(loop, {})
        tasks[key] = task = loop.create_task(work())

        def forget(done: asyncio.Task[T]) -> None:
            if tasks.get(key) is done:
                del tasks[key]
            if not done.cancelled():
                done.exception()  # looked at, so that asyncio does not report what nobody waits for

        task.add_done_callback(forget)
        return task
