"""Asking once for what many want to know at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Runs one piece of work per key at a time, in each event loop: a task of another cannot be awaited.

    The work goes on when those who wait for it do not: wait with `asyncio.shield`.
    """

    def __init__(self) -> None:
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[K, asyncio.Task[T]]]
        self._tasks = WeakKeyDictionary()

    def running(self, key: K) -> asyncio.Task[T] | None:
        """Return the work that is being done, if it is."""
        task = self._tasks.get(asyncio.get_running_loop(), {}).get(key)
        return None if task is None or task.done() else task

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Return the work that is being done; begin it, if it is not."""
        task = self.running(key)
        if task is None:
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
