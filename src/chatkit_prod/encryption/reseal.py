"""Old rows, sealed under the current key, batch by batch, while the app goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chatkit.store import NotFoundError
from chatkit.types import Page, ThreadItem, ThreadMetadata, UserMessageItem

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named

from .errors import UnsealError
from .store import EncryptedStore

TContext = TypeVar("TContext")
TRow = TypeVar("TRow", ThreadMetadata, ThreadItem)


@dataclass(slots=True)
class Resealed:
    """What one batch has done.

    Attributes:
        after: The last thread of the batch: pass it as `after` to go on from there.
        seen: Threads in the batch.
        threads: Threads that were sealed, or whose data key was rewrapped.
        items: Items likewise.
        attachments: Attachments likewise, of those that were sent.
        broken: Rows that could not be opened; they are in the log, and stay as they are.
    """

    after: str | None = None
    seen: int = 0
    threads: int = 0
    items: int = 0
    attachments: int = 0
    broken: int = 0


async def reseal(
    store: EncryptedStore[TContext], context: TContext, *, after: str | None = None, batch: int = 100
) -> AsyncIterator[Resealed]:
    """Seal plain rows, and rewrap data keys under the current key; yields after each batch of threads.

    It may be stopped at any point and run again: what is done is left alone. Attachments that were never sent are
    in no list; see `EncryptedStore.reseal_attachment`.

    Args:
        store: With `plain_rows="read"`, if there are plain ones.
        context: Of somebody for whom the inner store lists all threads.
        after: The thread to go on after, as an earlier batch has said; None for all.
        batch: How many threads, and how many items of a thread, are in memory at once.

    Raises:
        ConfigurationError: The store is none of this kind, or `batch` is no number.
        NotFoundError: The thread `after` is there no more: start again.
    """
    if not isinstance(store, EncryptedStore):
        raise ConfigurationError(f"store must be an EncryptedStore, not {named(store)}")
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise ConfigurationError(f"batch must be a number of rows, not {batch!r}")
    cursors = [after]
    while True:
        page = await _from(lambda cursor: store.inner.load_threads(batch, cursor, "asc", context), cursors)
        done = Resealed(after=page.data[-1].id if page.data else cursors[0], seen=len(page.data))
        for thread in page.data:
            await _thread(store, thread.id, context, batch, done)
        yield done
        if not page.has_more or not page.data:
            return
        cursors = _cursors(page.data)


async def _thread(
    store: EncryptedStore[TContext], thread_id: str, context: TContext, batch: int, done: Resealed
) -> None:
    try:
        done.threads += await store.reseal_thread(thread_id, context)
    except NotFoundError:
        return
    except UnsealError:
        done.broken += 1
        return
    cursors: Sequence[str | None] = [None]
    while True:
        try:
            page = await _from(
                lambda cursor: store.inner.load_thread_items(thread_id, cursor, batch, "asc", context),
                cursors,
            )
        except NotFoundError:
            return
        for row in page.data:
            await _item(store, thread_id, row.id, context, done)
        if not page.has_more or not page.data:
            return
        cursors = _cursors(page.data)


async def _item(
    store: EncryptedStore[TContext], thread_id: str, item_id: str, context: TContext, done: Resealed
) -> None:
    try:
        done.items += await store.reseal_item(thread_id, item_id, context)
        item = await store.load_item(thread_id, item_id, context)
    except NotFoundError:
        return
    except UnsealError:
        done.broken += 1
        return
    for attachment in item.attachments if isinstance(item, UserMessageItem) else ():
        try:
            done.attachments += await store.reseal_attachment(attachment.id, context)
        except NotFoundError:
            continue
        except UnsealError:
            done.broken += 1


async def _from(
    load: Callable[[str | None], Awaitable[Page[TRow]]], cursors: Sequence[str | None]
) -> Page[TRow]:
    """Load the page after the first of the cursors that is still there."""
    for cursor in cursors[:-1]:
        try:
            return await load(cursor)
        except NotFoundError:
            continue
    return await load(cursors[-1])


def _cursors(rows: Sequence[ThreadMetadata | ThreadItem]) -> list[str | None]:
    """Return where to go on: after the last row, or if that is deleted meanwhile, after one before it."""
    return [*(row.id for row in reversed(rows)), None]
