"""Stores that filter nothing, and what really lies in them, behind every guard."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from chatkit.store import Store

from chatkit_prod.testing import MemoryStore
from examples.stores.sqlite import SQLiteStore

Key = tuple[str, ...]
"""A kind and what tells its rows apart: an id, for an item that of its thread before it."""

Rows = dict[Key, str]
"""Every row as JSON, stamps included, each kind in the order in which its rows were made."""


class Raw(Protocol):
    """A store with a back door."""

    @property
    def store(self) -> Store[Any]:
        """The store."""
        ...

    async def rows(self) -> Rows:
        """Return all there is."""
        ...


OpenRaw = Callable[[], AbstractAsyncContextManager[Raw]]


class RawMemory:
    def __init__(self) -> None:
        self.store = MemoryStore()

    async def rows(self) -> Rows:
        store = self.store
        rows: Rows = {("thread", key): row.model_dump_json() for key, row in store._threads.items()}
        for thread_id, items in store._items.items():
            rows |= {("item", thread_id, key): row.model_dump_json() for key, row in items.items()}
        return rows | {("attachment", key): row.model_dump_json() for key, row in store._attachments.items()}


class RawSQL:
    """One of the stores of the examples.

    Args:
        store: Open, and empty.
    """

    def __init__(self, store: Any) -> None:
        self.store: Any = store

    async def rows(self) -> Rows:
        rows: Rows = {}
        for found in await self.store._run(_THREADS):
            thread_id, data = found.split(" ", 1)
            rows["thread", thread_id] = data
        for found in await self.store._run(_ITEMS):
            thread_id, item_id, data = found.split(" ", 2)
            rows["item", thread_id, item_id] = data
        for found in await self.store._run(_ATTACHMENTS):
            attachment_id, data = found.split(" ", 1)
            rows["attachment", attachment_id] = data
        return rows


_THREADS = "SELECT id || ' ' || CAST(data AS text) FROM threads ORDER BY sequence"
_ITEMS = "SELECT thread_id || ' ' || id || ' ' || CAST(data AS text) FROM items ORDER BY sequence"
_ATTACHMENTS = "SELECT id || ' ' || CAST(data AS text) FROM attachments ORDER BY id"


@asynccontextmanager
async def in_memory() -> AsyncGenerator[Raw]:
    yield RawMemory()


@asynccontextmanager
async def in_sqlite(*, filters_by_owner: bool) -> AsyncGenerator[Raw]:
    async with SQLiteStore(Path(":memory:"), filters_by_owner=filters_by_owner) as store:
        yield RawSQL(store)
