"""A store of its own with files, a clock to set, and what is put into them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import (
    FileAttachment,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

from chatkit_prod.owner import Owner, stamped
from chatkit_prod.testing import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALICE = Owner(issuer="desk", subject="alice", tenant="north")
BOB = Owner(issuer="desk", subject="bob", tenant="south")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Killable(MemoryStore):
    """A store whose process can be killed right before, or right after, one of its calls.

    Attributes:
        before_call: Called before each call that a sweep makes, with its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_call: Callable[[str], None] = lambda name: None

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        self.before_call("load_thread")
        return await super().load_thread(thread_id, context)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        self.before_call("delete_thread")
        await super().delete_thread(thread_id, context)
        self.before_call("after delete_thread")

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        self.before_call("delete_attachment")
        await super().delete_attachment(attachment_id, context)

    async def load_thread_items(
        self, thread_id: str, after: Any, limit: int, order: str, context: Any
    ) -> Any:
        self.before_call("load_thread_items")
        return await super().load_thread_items(thread_id, after, limit, order, context)

    async def load_threads(self, limit: int, after: Any, order: str, context: Any) -> Any:
        self.before_call("load_threads")
        return await super().load_threads(limit, after, order, context)


class Files(AttachmentStore[Any]):
    """The bytes of attachments."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.error: Exception | None = None

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        if self.error is not None:
            raise self.error
        if attachment_id not in self.bytes:
            raise NotFoundError
        del self.bytes[attachment_id]


def a_thread(
    thread_id: str, *, days: float = 0, owner: Owner | None = ALICE, **fields: Any
) -> ThreadMetadata:
    thread = ThreadMetadata(id=thread_id, created_at=NOW - days * DAY, **fields)
    return thread if owner is None else stamped(thread, owner)


def a_message(
    thread_id: str, *attachment_ids: str, item_id: str = "msg_1", text: str = "Hello"
) -> ThreadItem:
    return UserMessageItem(
        id=item_id,
        thread_id=thread_id,
        created_at=NOW,
        content=[UserMessageTextContent(text=text)],
        attachments=[an_attachment(found, thread_id) for found in attachment_ids],
        inference_options=InferenceOptions(),
    )


def an_attachment(attachment_id: str, thread_id: str | None) -> FileAttachment:
    return FileAttachment(id=attachment_id, name="a.txt", mime_type="text/plain", thread_id=thread_id)


async def put(
    store: MemoryStore, files: Files | None, thread: ThreadMetadata, *attachment_ids: str, text: str = "Hello"
) -> None:
    """Store a thread with one message and what is attached to it."""
    await store.save_thread(thread, None)
    for attachment_id in attachment_ids:
        await store.save_attachment(an_attachment(attachment_id, thread.id), None)
        if files is not None:
            files.bytes[attachment_id] = b"bytes"
    await store.add_thread_item(thread.id, a_message(thread.id, *attachment_ids, text=text), None)


async def ids(store: Any, limit: int = 1000) -> list[str]:
    return [thread.id for thread in (await store.load_threads(limit, None, "asc", None)).data]
