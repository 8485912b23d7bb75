"""Fixed windows on any storage of the library `limits`, and how a window stands once something was counted in it."""

import time
from collections.abc import Callable
from math import ceil

from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from .rules import Window
from .standing import Standing

_ROUNDING = 0.5
"""What a storage that knows whole seconds may be off by: nobody is told to come back too early."""

_MAX_ENDS = 10_000


class Counters(FixedWindowRateLimiter):
    """The fixed windows of `limits`, which also say how a window stands, without asking twice.

    The end of a window does not move, so that the storage is asked for it once.

    Args:
        storage: Where the counters are.
    """

    def __init__(self, storage: Storage, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(storage)
        self._now = now
        self._ends: dict[str, float] = {}

    async def count(self, window: Window, key: str, cost: int = 1) -> Standing:
        """Count in a window, whether it is used up or not, and return how it stands then."""
        name = window.item.key_for(key)
        used = await self.storage.incr(name, window.seconds, cost)
        if used == cost:
            self._remember(name, self._now() + window.seconds)
        return Standing(window, used, await self._ends_in(window, name))

    async def look(self, window: Window, key: str) -> Standing:
        """Return how a window stands, and count nothing."""
        name = window.item.key_for(key)
        used = await self.storage.get(name)
        return Standing(window, used, await self._ends_in(window, name) if used else window.seconds)

    async def _ends_in(self, window: Window, name: str) -> int:
        end = self._ends.get(name, 0)
        if end <= self._now():
            end = await self.storage.get_expiry(name)
            self._remember(name, end)
        return min(window.seconds, max(1, ceil(end - self._now() + _ROUNDING)))

    def _remember(self, name: str, end: float) -> None:
        self._ends.pop(name, None)
        if len(self._ends) >= _MAX_ENDS:
            del self._ends[next(iter(self._ends))]
        self._ends[name] = end
