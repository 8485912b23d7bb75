"""One writer at a time for each thread and each attachment, as far as this process goes."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakValueDictionary

Lock = Callable[[str], AbstractAsyncContextManager[Any]]
"""Returns what is held while a row is read and written again; takes the row's name."""


class LocksOfProcess:
    """A lock for each name, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __call__(self, name: str) -> AbstractAsyncContextManager[Any]:
        """Return the lock of a name."""
        return self._locks.setdefault(name, asyncio.Lock())
