"""The items of the threads that somebody reaches.

thread → guard → the inner store → is the item of this thread? → the item
                                                      ↘ NotFoundError
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, ThreadItem, ThreadMetadata, UserMessageItem

from .guard import Guard
from .resources import Action
from .rows import OwnedRows

TContext = TypeVar("TContext")

Save = Callable[[str, ThreadItem, TContext], Awaitable[None]]


class OwnedItems(Generic[TContext]):
    """The items of one inner store. They belong to whom their thread belongs to.

    Args:
        inner: The store that does the work. It may look for an item in other threads as well; where it
            keeps one is between it and `StoreContract`.
        threads: Its threads.
        guard: Records what is refused.
    """

    def __init__(
        self, inner: Store[TContext], threads: OwnedRows[ThreadMetadata, TContext], guard: Guard[TContext]
    ) -> None:
        self._inner = inner
        self._threads = threads
        self._guard = guard

    async def require(
        self, thread_id: str, item_id: str, action: Action, context: TContext, *, keep: bool = False
    ) -> None:
        """Check that an item is in a thread to which the caller may do something.

        Args:
            thread_id: The thread; untrusted.
            item_id: The item; untrusted.
            action: What is to be done.
            context: Of the caller.
            keep: Whether the next `load` of the item may get what is loaded now.

        Raises:
            NotFoundError: It is not, or the caller may not; recorded.
        """
        known = (await self._threads.require(thread_id, action, context)).items
        if item_id not in known:
            item = await self._fetch(thread_id, item_id, action, context)
            known[item_id] = item if keep else None

    async def load(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item of a thread that the caller may read.

        Raises:
            NotFoundError: It is not there, or the caller may not; recorded.
        """
        known = (await self._threads.require(thread_id, "threads:read", context)).items
        item = known.get(item_id)
        if item is None:
            item = await self._fetch(thread_id, item_id, "threads:read", context)
        known[item_id] = None
        return item

    async def page(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread that the caller may read; items of another thread are left out.

        Raises:
            NotFoundError: The thread or the cursor is not there, or the caller may not; recorded.
        """
        if after is not None:
            await self.require(thread_id, after, "threads:read", context)
        thread = await self._threads.require(thread_id, "threads:read", context)
        page = await self._inner.load_thread_items(thread_id, after, limit, order, context)
        known = thread.items
        for item in page.data:
            if item.thread_id != thread_id:
                return self._without_strays(page, thread_id, context)
            known.setdefault(item.id, None)
        return page

    async def save(self, thread_id: str, item: ThreadItem, save: Save[TContext], context: TContext) -> None:
        """Save an item in a thread that the caller may write to.

        Raises:
            NotFoundError: The item names another thread, or the caller may not; recorded.
            CustomStreamError: It is a user's message, and the thread is locked or closed.
        """
        thread = await self._threads.require(thread_id, "threads:write", context)
        if item.thread_id != thread_id:
            self._record("threads:write", item.id, "of another thread", context)
            raise NotFoundError
        if isinstance(item, UserMessageItem):
            self._guard.require_open(thread.row, "threads:write", context)
        await save(thread_id, item, context)
        thread.items[item.id] = None

    async def delete(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item of a thread that the caller may write to, if it is there.

        Raises:
            NotFoundError: The caller may not; recorded.
        """
        known = (await self._threads.require(thread_id, "threads:write", context)).items
        if item_id not in known:
            try:
                item = await self._inner.load_item(thread_id, item_id, context)
            except NotFoundError:
                return  # ChatKit also takes away what was shown and never stored
            if item.thread_id != thread_id:
                self._record("threads:write", item_id, "of another thread", context)
                return
        await self._inner.delete_thread_item(thread_id, item_id, context)
        known.pop(item_id, None)

    async def _fetch(self, thread_id: str, item_id: str, action: Action, context: TContext) -> ThreadItem:
        try:
            item = await self._inner.load_item(thread_id, item_id, context)
        except NotFoundError:
            self._record(action, item_id, "absent", context)
            raise
        if item.thread_id != thread_id:
            self._record(action, item_id, "of another thread", context)
            raise NotFoundError
        return item

    def _without_strays(self, page: Page[ThreadItem], thread_id: str, context: TContext) -> Page[ThreadItem]:
        """Leave out the items of other threads, which the inner store should not have found."""
        own: list[ThreadItem] = []
        for item in page.data:
            if item.thread_id == thread_id:
                own.append(item)
            else:
                self._record("threads:read", item.id, "of another thread", context)
        has_more = page.has_more and bool(own)
        return Page(data=own, has_more=has_more, after=own[-1].id if has_more else None)

    def _record(self, action: Action, item_id: str, reason: str, context: TContext) -> None:
        self._guard.record(self._guard.principal(context), action, reason, "item", item_id)
