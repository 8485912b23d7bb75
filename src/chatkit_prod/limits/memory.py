"""Counters and slots in this process: exact, and gone with it."""

import time
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any

from limits.aio.storage import Storage

from .counters import Counters
from .rules import Window
from .standing import Standing

_MAX_KEYS = 200_000
_DROPPED_AT_ONCE = 2


class MemoryStorage(Storage):
    """A storage for the strategies of `limits` which costs the same however many callers there are.

    That of the library walks through all of its counters after each request. Here each request drops two of those
    that are over. Beyond 200,000 callers, those whose window ends first are forgotten.

    Args:
        now: A clock in seconds that never goes back.
        max_keys: How many counters are kept; a security limit.
    """

    STORAGE_SCHEME = None

    def __init__(self, *, now: Callable[[], float] = time.monotonic, max_keys: int = _MAX_KEYS) -> None:
        super().__init__()
        self._now = now
        self._max_keys = max_keys
        self._used: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self._by_end: list[tuple[float, str]] = []

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """None: there is nobody to ask."""
        return ()

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and return the sum of the window."""
        now = self._now()
        for _ in range(_DROPPED_AT_ONCE):
            if self._by_end and (self._by_end[0][0] <= now or len(self._by_end) >= self._max_keys):
                self._forget(*heappop(self._by_end))
        if self._ends.get(key, now) <= now:
            self._used[key], self._ends[key] = 0, now + expiry
            heappush(self._by_end, (now + expiry, key))
        self._used[key] += amount
        return self._used[key]

    def _forget(self, end: float, key: str) -> None:
        if self._ends.get(key) == end:  # and not a later window of the same caller
            del self._used[key], self._ends[key]

    async def get(self, key: str) -> int:
        """Return the sum of the window."""
        return self._used[key] if self._ends.get(key, 0) > self._now() else 0

    async def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds since the epoch."""
        now = self._now()
        return time.time() + max(0.0, self._ends.get(key, now) - now)

    async def check(self) -> bool:
        """Tell that it is there."""
        return True

    async def reset(self) -> int:
        """Forget everything, and return how much that was."""
        count = len(self._used)
        for held in (self._used, self._ends, self._by_end):
            held.clear()
        return count

    async def clear(self, key: str) -> None:
        """Give back what was used in one window."""
        if key in self._used:
            self._used[key] = 0


class MemoryBackend:
    """Counters and slots of one process. Nothing here waits, so that nothing can be cancelled half-way."""

    def __init__(self) -> None:
        self._counters = Counters(MemoryStorage())
        self._taken: dict[str, int] = {}

    async def count(self, window: Window, key: str, cost: int = 1) -> Standing:
        """Count in a window, and return how it stands then."""
        return await self._counters.count(window, key, cost)

    async def look(self, window: Window, key: str) -> Standing:
        """Return how a window stands."""
        return await self._counters.look(window, key)

    async def hold(self, key: str, limit: int, token: str) -> "_MemorySlot | None":  # noqa: ARG002 - as the protocol has it
        """Take a slot, if there is one left."""
        taken = self._taken.get(key, 0)
        if taken >= limit:
            return None
        self._taken[key] = taken + 1
        return _MemorySlot(self._taken, key)

    async def settle(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out what is left to do."""
        await work

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""

    def taken(self) -> int:
        """Return how many slots are taken, by all users."""
        return sum(self._taken.values())


class _MemorySlot:
    """One of the slots of a user."""

    __slots__ = ("_key", "_taken")

    def __init__(self, taken: dict[str, int], key: str) -> None:
        self._taken = taken
        self._key = key

    async def release(self) -> None:
        self._taken[self._key] -= 1
        if not self._taken[self._key]:
            del self._taken[self._key]
