"""One thread goes with everything that belongs to it.

    attachments: bytes → metadata → audit record → the thread with its items

The thread goes last: killed in between, it is found again, and what is gone already is no error.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, Generic, TypeVar

from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import Attachment, ThreadItem, ThreadMetadata, UserMessageItem

from chatkit_prod.errors import ConfigurationError

from .audit import record
from .beneath import files_beneath

TContext = TypeVar("TContext")

_ITEMS: Final = 100
"""Items of a page: what is in memory of a thread at a time."""


class Removal(Generic[TContext]):
    """Deletes threads of one store, one at a time.

    Args:
        store: The store itself, with nothing in front that hides rows.
        files: Where the bytes of attachments are.
        context: For both.
    """

    def __init__(
        self, store: Store[TContext], files: AttachmentStore[TContext] | None, context: TContext
    ) -> None:
        self._store = store
        self._files = None if files is None else files_beneath(files)
        self._context = context

    async def latest(self, thread: ThreadMetadata) -> ThreadMetadata | None:
        """Return a thread as it is stored now; None if it is gone."""
        try:
            return await self._store.load_thread(thread.id, self._context)
        except NotFoundError:
            return None

    async def remove(self, thread: ThreadMetadata, reason: str) -> int:
        """Delete a thread, and return how many attachments went with it.

        Args:
            thread: As it is stored.
            reason: Why, for the audit record.

        Raises:
            ConfigurationError: It has attachments, and there is no attachment store: their bytes would stay.
        """
        deleted = 0
        async for attachment in self.attachments(thread):
            await self._delete(attachment)
            deleted += 1
        record("deleted", thread, reason=reason, attachments=deleted)
        await self._store.delete_thread(thread.id, self._context)
        return deleted

    async def count(self, thread: ThreadMetadata) -> int:
        """Return how many attachments would go with a thread.

        Raises:
            ConfigurationError: As for `remove`.
        """
        return len([found.id async for found in self.attachments(thread)])

    async def attachments(self, thread: ThreadMetadata) -> AsyncIterator[Attachment]:
        """Yield what is attached to the messages of a thread, unless it belongs to another one by now."""
        async for item in items_of(self._store, thread.id, self._context):
            for attachment in item.attachments if isinstance(item, UserMessageItem) else ():
                if await self._belongs_to(thread, attachment):
                    yield attachment

    async def _belongs_to(self, thread: ThreadMetadata, attachment: Attachment) -> bool:
        self._require_files()
        attachment = await as_stored(self._store, attachment, self._context)
        return attachment.thread_id in (None, thread.id)

    async def _delete(self, attachment: Attachment) -> None:
        with suppress(NotFoundError):
            await self._require_files().delete_attachment(attachment.id, self._context)
        with suppress(NotFoundError):
            await self._store.delete_attachment(attachment.id, self._context)

    def _require_files(self) -> AttachmentStore[TContext]:
        if self._files is None:
            raise ConfigurationError(
                "a thread has attachments: pass attachment_store=, or their bytes would stay for ever"
            )
        return self._files


async def as_stored(store: Store[TContext], held: Attachment, context: TContext) -> Attachment:
    """Return an attachment as it is stored; where it is gone, the copy that its message holds."""
    try:
        return await store.load_attachment(held.id, context)
    except NotFoundError:
        return held


async def items_of(store: Store[TContext], thread_id: str, context: TContext) -> AsyncIterator[ThreadItem]:
    """Yield the items of a thread, oldest first, a page at a time."""
    after = None
    while True:
        page = await store.load_thread_items(thread_id, after, _ITEMS, "asc", context)
        for item in page.data:
            yield item
        if not page.has_more or page.after is None:
            return
        after = page.after
