"""Stores that pass every call on to another store: what a wrapper starts from.

ChatKit's `Store` has twelve abstract and two concrete methods, `AttachmentStore` one and two. A
wrapper that forgot the concrete ones would silently make other ids than the app's own store.
"""

import secrets
from typing import Any, TypeVar, cast

from chatkit.store import AttachmentStore, Store, StoreItemType, default_generate_id
from chatkit.types import Attachment, AttachmentCreateParams, Page, ThreadItem, ThreadMetadata

from .errors import ConfigurationError
from .gate import Gate

TContext = TypeVar("TContext")


class DelegatingStore(Store[TContext]):
    """A store that passes all 14 methods on; a wrapper overrides what it changes and nothing else.

    Args:
        inner: The store that does the work.
    """

    def __init__(self, inner: Store[TContext]) -> None:
        self.inner = inner

    @property
    def gate(self) -> Gate | None:
        """What an endpoint of this store asks before its server runs: the gate of the inner store, if it has one."""
        return gate_of(self.inner)

    def generate_thread_id(self, context: TContext) -> str:
        """Return a new thread id, as the inner store makes them."""
        return self.inner.generate_thread_id(context)

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: TContext) -> str:
        """Return a new item id, as the inner store makes them."""
        return self.inner.generate_item_id(item_type, thread, context)

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Load a thread's metadata.

        Raises:
            NotFoundError: There is no such thread.
        """
        return await self.inner.load_thread(thread_id, context)

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Insert or replace a thread's metadata."""
        await self.inner.save_thread(thread, context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread's items."""
        return await self.inner.load_thread_items(thread_id, after, limit, order, context)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Insert or replace an attachment's metadata."""
        await self.inner.save_attachment(attachment, context)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Load an attachment's metadata.

        Raises:
            NotFoundError: There is no such attachment.
        """
        return await self.inner.load_attachment(attachment_id, context)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata."""
        await self.inner.delete_attachment(attachment_id, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """Load a page of threads."""
        return await self.inner.load_threads(limit, after, order, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread."""
        await self.inner.add_thread_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item."""
        await self.inner.save_item(thread_id, item, context)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item.

        Raises:
            NotFoundError: There is no such item in the thread.
        """
        return await self.inner.load_item(thread_id, item_id, context)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread and its items."""
        await self.inner.delete_thread(thread_id, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item."""
        await self.inner.delete_thread_item(thread_id, item_id, context)


def gate_of(store: Store[Any]) -> Gate | None:
    """Return what stands in front of a store; None for an app's own."""
    return store.gate if isinstance(store, DelegatingStore) else None


def require_visible_gate(store: Any) -> None:
    """Check that no wrapper hides the gate of the store that it holds.

    Args:
        store: The store of a server.

    Raises:
        ConfigurationError: One does, because it is no `DelegatingStore`.
    """
    if isinstance(store, DelegatingStore):
        require_visible_gate(cast("Any", store).inner)
        return
    for held in getattr(store, "__dict__", {}).values():
        if isinstance(held, Store):
            require_visible_gate(held)
            if gate_of(cast("Any", held)) is not None:
                raise ConfigurationError(
                    f"{type(store).__name__} hides the guard of the store that it holds: make it a DelegatingStore"
                )


class DelegatingAttachmentStore(AttachmentStore[TContext]):
    """An attachment store that passes all 3 methods on.

    Args:
        inner: The attachment store that does the work.
    """

    def __init__(self, inner: AttachmentStore[TContext]) -> None:
        self.inner = inner

    @property
    def gate(self) -> Gate | None:
        """The gate of the guard that this is or holds; a job deletes beneath it."""
        return self.inner.gate if isinstance(self.inner, DelegatingAttachmentStore) else None

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's bytes."""
        await self.inner.delete_attachment(attachment_id, context)

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:  # noqa: A002
        """Register an attachment that is to be uploaded."""
        return await self.inner.create_attachment(input, context)

    def generate_attachment_id(self, mime_type: str, context: TContext) -> str:
        """Return a new attachment id, as the inner store makes them."""
        return self.inner.generate_attachment_id(mime_type, context)


class UnguessableIds:
    """Ids of 128 random bits, mixed into a store in front of ChatKit's base class.

    ChatKit's own have 32: the odds of a collision are even at 77,000 threads, and saving overwrites.

        class MyStore(UnguessableIds, Store[MyContext]): ...
    """

    def generate_thread_id(self, context: Any) -> str:  # noqa: ARG002
        """Return `thr_` and 32 hexadecimal digits."""
        return _random_id("thread")

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:  # noqa: ARG002
        """Return the prefix of the item's type and 32 hexadecimal digits."""
        return _random_id(item_type)

    def generate_attachment_id(self, mime_type: str, context: Any) -> str:  # noqa: ARG002
        """Return `atc_` and 32 hexadecimal digits."""
        return _random_id("attachment")


def _random_id(item_type: StoreItemType) -> str:
    prefix = default_generate_id(item_type).partition("_")[0]
    return f"{prefix}_{secrets.token_hex(16)}"
