"""A store that hides what expired, from the moment it expires.

guarded store → RetentionStore → encryption, scrubbing → the app's own

What is hidden is still there until `sweep` has deleted it.
"""

from typing import TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.store import DelegatingStore, gate_of

from .audit import record
from .beneath import Hiding
from .clock import Clock, utc_now
from .hold import is_held, marked_deleted, marked_like, unmarked
from .pages import served_page
from .policy import RetentionPolicy, instant
from .verdict import is_served

TContext = TypeVar("TContext")


class RetentionStore(DelegatingStore[TContext], Hiding):
    """A store in which an expired thread is like an absent one, with its items and its attachments.

    Every call about a thread loads it from the inner store, by its id, also when it was loaded a moment ago: what
    another process has locked, held or deleted counts at once. What is read is judged after it was read.

    A thread under hold goes on being served. If its user deletes it, nobody is served it any more, but it stays.
    An attachment expires with the thread that it is bound to; one that is bound to none does not.

    Args:
        inner: The store that does the work. Put this one inside of an `OwnershipStore`.
        policy: Says when a thread expires.
        clock: Returns the time, with its zone.

    Raises:
        ConfigurationError: An argument is something else; or the inner store is guarded.
    """

    def __init__(self, inner: Store[TContext], *, policy: RetentionPolicy, clock: Clock = utc_now) -> None:
        super().__init__(inner)
        if not isinstance(inner, Store):
            raise ConfigurationError(f"inner must be a Store, not {named(inner)}")
        if not isinstance(policy, RetentionPolicy):
            raise ConfigurationError(f"policy must be a RetentionPolicy, not {named(policy)}")
        if not callable(clock):
            raise ConfigurationError("clock must be a function that returns the time")
        if gate_of(inner) is not None:
            raise ConfigurationError(
                "inner is guarded, and a guard takes the owners' stamps away: write OwnershipStore(RetentionStore(...))"
            )
        self.policy = policy
        self._clock = clock

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Load a thread's metadata.

        Raises:
            NotFoundError: It is absent, or has expired.
        """
        return unmarked(await self._served(thread_id, context))

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Insert or replace a thread's metadata; a hold on it stays.

        Raises:
            NotFoundError: There is one with this id that has expired.
        """
        try:
            stored = await self.inner.load_thread(thread.id, context)
        except NotFoundError:
            stored = None
        if stored is not None and not self._is_served(stored):
            raise NotFoundError
        await self.inner.save_thread(marked_like(thread, stored), context)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread and its items; one under hold is hidden for good, and recorded.

        Raises:
            NotFoundError: It is absent, or has expired.
        """
        thread = await self._served(thread_id, context)
        if is_held(thread):
            await self.inner.save_thread(marked_deleted(thread, instant(self._clock())), context)
            record("marked as deleted", thread, reason="deleted by its user under hold")
        else:
            await self.inner.delete_thread(thread_id, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """Load a page of the threads that have not expired; a full one, if there are so many.

        A cursor only tells where to go on: one that expires meanwhile still does. The page is short where
        thousands of expired threads stand in its way; then there is a cursor behind them.
        """
        page = await served_page(
            lambda size, cursor: self.inner.load_threads(size, cursor, order, context),
            self._is_served,
            limit=limit,
            after=after,
        )
        return page.model_copy(update={"data": list(map(unmarked, page.data))})

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread's items.

        Raises:
            NotFoundError: The thread is absent, or has expired.
        """
        page = await self.inner.load_thread_items(thread_id, after, limit, order, context)
        await self._served(thread_id, context)
        return page

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item.

        Raises:
            NotFoundError: There is no such item in the thread, or the thread has expired.
        """
        item = await self.inner.load_item(thread_id, item_id, context)
        await self._served(thread_id, context)
        return item

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread.

        Raises:
            NotFoundError: The thread is absent, or has expired.
        """
        await self._served(thread_id, context)
        await self.inner.add_thread_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item.

        Raises:
            NotFoundError: The thread is absent, or has expired.
        """
        await self._served(thread_id, context)
        await self.inner.save_item(thread_id, item, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item.

        Raises:
            NotFoundError: The thread is absent, or has expired.
        """
        await self._served(thread_id, context)
        await self.inner.delete_thread_item(thread_id, item_id, context)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Load an attachment's metadata.

        Raises:
            NotFoundError: It is absent, or its thread has expired.
        """
        try:
            attachment = await self.inner.load_attachment(attachment_id, context)
        except NotFoundError:
            await self._require_served(
                attachment_id, context
            )  # nobody tells an absent one by the time it takes
            raise
        await self._require_served(attachment.thread_id or attachment_id, context)
        return attachment

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Insert or replace an attachment's metadata.

        Raises:
            NotFoundError: There is one with this id whose thread has expired, or it is to be bound to such a thread.
        """
        try:
            stored = await self.inner.load_attachment(attachment.id, context)
        except NotFoundError:
            stored = attachment
        for thread_id in {stored.thread_id, attachment.thread_id} - {None}:
            await self._require_served(str(thread_id), context)
        await self.inner.save_attachment(attachment, context)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata.

        Raises:
            NotFoundError: It is absent, or its thread has expired.
        """
        await self.load_attachment(attachment_id, context)
        await self.inner.delete_attachment(attachment_id, context)

    async def _served(self, thread_id: str, context: TContext) -> ThreadMetadata:
        thread = await self.inner.load_thread(thread_id, context)
        if not self._is_served(thread):
            raise NotFoundError
        return thread

    async def _require_served(self, thread_id: str, context: TContext) -> None:
        """Check that the thread of an attachment has not expired; one that its user has deleted is no reason."""
        try:
            thread = await self.inner.load_thread(thread_id, context)
        except NotFoundError:
            return
        if not self._is_served(thread):
            raise NotFoundError

    def _is_served(self, thread: ThreadMetadata) -> bool:
        return is_served(self.policy, thread, instant(self._clock()))
