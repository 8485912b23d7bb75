"""A store in memory."""

import copy
from collections.abc import Iterable
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

from chatkit_prod.store import UnguessableIds

T = TypeVar("T")
TStored = TypeVar("TStored", ThreadMetadata, ThreadItem)


class MemoryStore(UnguessableIds, Store[Any]):
    """Keeps everything until the process ends. For tests: it knows no users.

    What goes in and what comes out are copies, as with a database.
    """

    def __init__(self) -> None:
        self._threads: dict[str, ThreadMetadata] = {}
        self._items: dict[str, dict[str, ThreadItem]] = {}
        self._attachments: dict[str, Attachment] = {}

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:  # noqa: ARG002
        """Return a copy of a thread's metadata."""
        return _copy(self._threads, thread_id)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:  # noqa: ARG002
        """Insert or replace a thread's metadata; of a `Thread`, which ChatKit gives as well, not its items."""
        fields = {name: getattr(thread, name) for name in ThreadMetadata.model_fields}
        self._threads[thread.id] = copy.deepcopy(ThreadMetadata(**fields))

    async def load_threads(
        self,
        limit: int,
        after: str | None,
        order: str,
        context: Any,  # noqa: ARG002
    ) -> Page[ThreadMetadata]:
        """Return a page of threads, by their time of creation."""
        threads = sorted(self._threads.values(), key=lambda thread: thread.created_at)
        return _page(threads, limit, after, order)

    async def delete_thread(self, thread_id: str, context: Any) -> None:  # noqa: ARG002
        """Delete a thread and its items."""
        self._threads.pop(thread_id, None)
        self._items.pop(thread_id, None)

    async def load_thread_items(
        self,
        thread_id: str,
        after: str | None,
        limit: int,
        order: str,
        context: Any,  # noqa: ARG002
    ) -> Page[ThreadItem]:
        """Return a page of a thread's items, in the order in which they were added."""
        self._require(thread_id)
        items = self._items.get(thread_id, {}).values()
        return _page(items, limit, after, order)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Append an item, or replace the one with its id."""
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:  # noqa: ARG002
        """Insert or replace an item."""
        self._require(thread_id)
        self._items.setdefault(thread_id, {})[item.id] = copy.deepcopy(item)

    def _require(self, thread_id: str) -> None:
        if thread_id not in self._threads:
            raise NotFoundError

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:  # noqa: ARG002
        """Return a copy of an item."""
        return _copy(self._items.get(thread_id, {}), item_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:  # noqa: ARG002
        """Delete an item."""
        self._items.get(thread_id, {}).pop(item_id, None)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:  # noqa: ARG002
        """Insert or replace an attachment's metadata."""
        self._attachments[attachment.id] = copy.deepcopy(attachment)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:  # noqa: ARG002
        """Return a copy of an attachment's metadata."""
        return _copy(self._attachments, attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:  # noqa: ARG002
        """Delete an attachment's metadata."""
        self._attachments.pop(attachment_id, None)


def _copy(rows: dict[str, T], key: str) -> T:
    if key not in rows:
        raise NotFoundError
    return copy.deepcopy(rows[key])


def _page(stored: Iterable[TStored], limit: int, after: str | None, order: str) -> Page[TStored]:
    rows = list(stored)
    if order == "desc":
        rows.reverse()
    if after is not None:
        ids = [row.id for row in rows]
        if after not in ids:
            raise NotFoundError
        rows = rows[ids.index(after) + 1 :]
    data = copy.deepcopy(rows[:limit])
    has_more = len(rows) > limit
    return Page(data=data, has_more=has_more, after=data[-1].id if has_more and data else None)
