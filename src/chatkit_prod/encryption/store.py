"""A store in front of which everything is clear, and behind which nothing is.

    guarded store → EncryptedStore → carrier.py → the app's own store
                         └→ keys.py → keyring

The data key of a thread is in its metadata. Which one it is, is asked once in a request.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Literal, NoReturn, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named, seconds
from chatkit_prod.state import RequestState
from chatkit_prod.store import DelegatingStore, gate_of

from .carrier import (
    has_no_key,
    is_sealed,
    key_carried_by,
    key_of,
    open_attachment,
    open_item,
    open_thread,
    seal_attachment,
    seal_item,
    seal_thread,
)
from .errors import UnsealError
from .keyring import Keyring, WrappedKey
from .keys import Row, RowKey, RowKeys
from .locks import Lock, LocksOfProcess
from .opening import Complaints, Kind

TContext = TypeVar("TContext")
TRow = TypeVar("TRow", ThreadMetadata, ThreadItem)

Save = Callable[[str, ThreadItem, TContext], Awaitable[None]]


class EncryptedStore(DelegatingStore[TContext]):
    """Seals what users and models wrote with AES-256-GCM before the inner store sees it.

    Clear stay ids, times of creation, the type of a thread's status, the MIME type of an attachment, and keys of
    metadata that begin with `chatkit_prod.`, such as the owner's stamp. All of them are bound to what is sealed: a
    row that was changed, or moved to another thread, item or owner, cannot be opened. An older version of a row,
    put back whole in its own place, can.

    A row that cannot be opened is an `UnsealError`, and is left out of pages; the logger `chatkit_prod` has one
    record of it. Deleting a thread deletes its data key.

    Args:
        inner: The store that does the work, best the app's own: a scrubber inside sees what is sealed alone.
        keyring: Wraps the data keys.
        plain_rows: Whether rows that are not sealed are read, as there were some before, or are refused: whoever
            can write to the database could plant them. `reseal` seals them.
        lock: Held while a row is read and written again; by default, one in the process. Several processes that
            make threads by the same id, or run `reseal` while others write, need one that they share.
        cached_keys: For how many threads and attachments unwrapped keys are kept in memory.
        cache_seconds: How long they are kept, in seconds.

    Raises:
        ConfigurationError: The inner store or the keyring is none; the store is encrypted already, or guarded; an option
            is wrong.
    """

    def __init__(
        self,
        inner: Store[TContext],
        *,
        keyring: Keyring,
        plain_rows: Literal["refuse", "read"] = "refuse",
        lock: Lock | None = None,
        cached_keys: int = 10_000,
        cache_seconds: float = 300,
    ) -> None:
        super().__init__(inner)
        if not isinstance(inner, Store):
            raise ConfigurationError(f"inner must be a Store, not {named(inner)}")
        if _is_encrypted(inner):
            raise ConfigurationError(
                "inner is encrypted already: a second time would hide its keys from the first"
            )
        if gate_of(inner) is not None:
            raise ConfigurationError(
                "inner is guarded, and a guard has to see what is not sealed: write OwnershipStore(EncryptedStore(...))"
            )
        if isinstance(keyring, type) or not isinstance(keyring, Keyring):
            raise ConfigurationError(
                f"keyring must be a Keyring, such as LocalKeyring.from_env(), not {named(keyring)}"
            )
        if plain_rows not in ("refuse", "read"):
            raise ConfigurationError(f'plain_rows must be "refuse" or "read", not {plain_rows!r}')
        if lock is not None and not callable(lock):
            raise ConfigurationError(f"lock must be a function of a name, not {named(lock)}")
        if not isinstance(cached_keys, int) or isinstance(cached_keys, bool) or cached_keys < 1:
            raise ConfigurationError(f"cached_keys must be a number of rows, not {cached_keys!r}")
        self.keyring = keyring
        self._keys = RowKeys(keyring, size=cached_keys, seconds=seconds(cache_seconds, "cache_seconds"))
        self._reads_plain = plain_rows == "read"
        self._lock: Lock = lock or LocksOfProcess()
        self._complaints = Complaints()

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Load a thread's metadata.

        Raises:
            NotFoundError: There is no such thread.
            UnsealError: It cannot be opened; recorded.
        """
        thread, _ = await self._open_thread(await self.inner.load_thread(thread_id, context), thread_id)
        return thread

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Insert or replace a thread's metadata, sealed; its data key stays.

        Raises:
            UnsealError: There is one with this id that cannot be opened; recorded.
        """
        async with self._lock(thread.id):
            known = self._known().get(thread.id) or await self._stored_key(thread.id, context)
            row = Row("thread", thread.id)
            key = await (self._keys.make(row) if known is None else self._keys.current(row, known))
            await self.inner.save_thread(seal_thread(thread, key), context)
            self._known()[thread.id] = key
            if known is None:
                await self._stored_key(thread.id, context)  # another process may have made it as well

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """Load a page of threads, without those that cannot be opened; they are recorded."""

        async def load(cursor: str | None) -> Page[ThreadMetadata]:
            return await self.inner.load_threads(limit, cursor, order, context)

        async def opened(rows: list[ThreadMetadata]) -> list[ThreadMetadata]:
            await self._keys.warm(_keys_of(rows))
            return [thread for row in rows if (thread := await self._opened(row)) is not None]

        return await _page(load, opened, after)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread and its items, and forget its data key."""
        async with self._lock(thread_id):
            try:
                await self.inner.delete_thread(thread_id, context)
            finally:
                self._known().pop(thread_id, None)
                self._keys.forget(Row("thread", thread_id))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread's items, without those that cannot be opened; they are recorded.

        Raises:
            NotFoundError: The inner store raises it.
            UnsealError: The thread itself cannot be opened, and so none of them; recorded.
        """

        async def load(cursor: str | None) -> Page[ThreadItem]:
            return await self.inner.load_thread_items(thread_id, cursor, limit, order, context)

        async def opened(rows: list[ThreadItem]) -> list[ThreadItem]:
            key = await self._thread_key(thread_id, context) if rows else None
            items: list[ThreadItem] = []
            for row in rows:
                try:
                    if key is not None and has_no_key(row):
                        item = open_item(row, thread_id, row.id, key)  # without a coroutine for each
                    else:
                        item = await self._open_item(row, thread_id, row.id, key)
                except UnsealError as error:
                    self._complaints.record(error, "item", row.id, thread_id)
                else:
                    items.append(item)
            return items

        return await _page(load, opened, after)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item.

        Raises:
            NotFoundError: There is no such item in the thread.
            UnsealError: It cannot be opened, or its thread cannot; recorded.
        """
        row = await self.inner.load_item(thread_id, item_id, context)
        key = await self._thread_key(thread_id, context)
        try:
            return await self._open_item(row, thread_id, item_id, key)
        except UnsealError as error:
            self._complain(error, "item", item_id, thread_id)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread, sealed.

        Raises:
            NotFoundError: There is no such thread.
            UnsealError: The thread cannot be opened; recorded.
        """
        await self._save_item(thread_id, item, self.inner.add_thread_item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item, sealed.

        Raises:
            NotFoundError: There is no such thread.
            UnsealError: The thread cannot be opened; recorded.
        """
        await self._save_item(thread_id, item, self.inner.save_item, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item, also one that cannot be opened."""
        async with self._lock(thread_id):
            await self.inner.delete_thread_item(thread_id, item_id, context)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Load an attachment's metadata.

        Raises:
            NotFoundError: There is no such attachment.
            UnsealError: It cannot be opened; recorded.
        """
        row = await self.inner.load_attachment(attachment_id, context)
        attachment, _ = await self._open_attachment(row, attachment_id)
        return attachment

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Insert or replace an attachment's metadata, sealed under a new data key."""
        async with self._lock(attachment.id):
            await self._save_attachment(attachment, context)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata, also if it cannot be opened, and forget its data key."""
        async with self._lock(attachment_id):
            try:
                await self.inner.delete_attachment(attachment_id, context)
            finally:
                self._keys.forget(Row("attachment", attachment_id))

    async def reseal_thread(self, thread_id: str, context: TContext) -> bool:
        """Seal a thread that is plain, or rewrap its data key under the current key; not its items.

        Returns:
            Whether there was anything to do.

        Raises:
            NotFoundError: There is no such thread.
            UnsealError: It cannot be opened; recorded.
        """
        async with self._lock(thread_id):
            thread, key = await self._open_thread(await self.inner.load_thread(thread_id, context), thread_id)
            if key is not None and self._keys.is_current(key):
                return False
            row = Row("thread", thread_id)
            key = await (self._keys.make(row) if key is None else self._keys.current(row, key))
            await self.inner.save_thread(seal_thread(thread, key), context)
            self._known()[thread_id] = key
            return True

    async def reseal_item(self, thread_id: str, item_id: str, context: TContext) -> bool:
        """Seal an item that is plain, or that carries a key of its own, under the key of its thread.

        Returns:
            Whether there was anything to do.

        Raises:
            NotFoundError: There is no such item.
            UnsealError: It cannot be opened, or its thread cannot; recorded.
        """
        async with self._lock(thread_id):
            row = await self.inner.load_item(thread_id, item_id, context)
            key = await self._thread_key(thread_id, context)
            try:
                item = await self._open_item(row, thread_id, item_id, key)
                if key is None or has_no_key(row):
                    return False
            except UnsealError as error:
                self._complain(error, "item", item_id, thread_id)
            await self.inner.save_item(thread_id, seal_item(item, thread_id, key), context)
            return True

    async def reseal_attachment(self, attachment_id: str, context: TContext) -> bool:
        """Seal an attachment that is plain, or whose data key another than the current key has wrapped.

        Returns:
            Whether there was anything to do.

        Raises:
            NotFoundError: There is no such attachment.
            UnsealError: It cannot be opened; recorded.
        """
        async with self._lock(attachment_id):
            row = await self.inner.load_attachment(attachment_id, context)
            attachment, key = await self._open_attachment(row, attachment_id)
            if key is not None and self._keys.is_current(key):
                return False
            await self._save_attachment(attachment, context)
            return True

    async def _save_item(
        self, thread_id: str, item: ThreadItem, save: Save[TContext], context: TContext
    ) -> None:
        async with self._lock(thread_id):
            key = await self._thread_key(thread_id, context)
            if key is None:
                key = await self._keys.carried(Row("thread", thread_id))
            await save(thread_id, seal_item(item, thread_id, key), context)

    async def _save_attachment(self, attachment: Attachment, context: TContext) -> None:
        key = await self._keys.make(Row("attachment", attachment.id))
        await self.inner.save_attachment(seal_attachment(attachment, key), context)

    async def _thread_key(self, thread_id: str, context: TContext) -> RowKey | None:
        """Return the data key that a thread has; None if it is plain."""
        known = self._known().get(thread_id)
        if known is None:
            row = await self.inner.load_thread(thread_id, context)
            _, known = await self._open_thread(row, thread_id)
        return known

    async def _stored_key(self, thread_id: str, context: TContext) -> RowKey | None:
        """Return the data key that a thread has; None if it is plain, or not there."""
        try:
            row = await self.inner.load_thread(thread_id, context)
        except NotFoundError:
            return None
        _, key = await self._open_thread(row, thread_id)
        return key

    async def _open_thread(self, row: ThreadMetadata, thread_id: str) -> tuple[ThreadMetadata, RowKey | None]:
        """Return a thread and its data key, which is not used before the thread is known to be unchanged."""
        try:
            if not is_sealed(row):
                self._require_plain_allowed()
                return row, None
            key = await self._keys.unwrap(Row("thread", thread_id), key_of(row))
            thread = open_thread(row, thread_id, key)
        except UnsealError as error:
            self._complain(error, "thread", thread_id)
        self._known()[thread_id] = key
        return thread, key

    async def _opened(self, row: ThreadMetadata) -> ThreadMetadata | None:
        try:
            thread, _ = await self._open_thread(row, row.id)
        except UnsealError:
            return None
        return thread

    async def _open_item(
        self, row: ThreadItem, thread_id: str, item_id: str, key: RowKey | None
    ) -> ThreadItem:
        if not is_sealed(row):
            self._require_plain_allowed()
            return row
        wrapped = key_carried_by(row)
        if wrapped is not None:
            key = await self._keys.unwrap(Row("thread", thread_id), wrapped)
        if key is None:
            raise UnsealError("without its key")
        return open_item(row, thread_id, item_id, key)

    async def _open_attachment(self, row: Attachment, attachment_id: str) -> tuple[Attachment, RowKey | None]:
        try:
            if not is_sealed(row):
                self._require_plain_allowed()
                return row, None
            key = await self._keys.unwrap(Row("attachment", attachment_id), key_of(row))
            return open_attachment(row, attachment_id, key), key
        except UnsealError as error:
            self._complain(error, "attachment", attachment_id)

    def _require_plain_allowed(self) -> None:
        if not self._reads_plain:
            raise UnsealError('not sealed, and plain_rows is "refuse"')

    def _complain(self, error: UnsealError, kind: Kind, row_id: str, thread_id: str = "") -> NoReturn:
        raise self._complaints.record(error, kind, row_id, thread_id) from None

    def _known(self) -> dict[str, RowKey]:
        """Return the data keys of threads that this request has seen, by thread: stored, and bound to their owner."""
        return RequestState.memory((self, "keys"))


def _keys_of(threads: Iterable[ThreadMetadata]) -> Iterator[tuple[Row, WrappedKey]]:
    for thread in threads:
        with suppress(UnsealError):  # it is raised again for this thread alone
            yield Row("thread", thread.id), key_of(thread)


def _is_encrypted(store: Store[TContext]) -> bool:
    while isinstance(store, DelegatingStore):
        if isinstance(store, EncryptedStore):
            return True
        store = store.inner
    return False


async def _page(
    load: Callable[[str | None], Awaitable[Page[TRow]]],
    opened: Callable[[list[TRow]], Awaitable[list[TRow]]],
    after: str | None,
) -> Page[TRow]:
    """Return a page of what can be opened; its cursor is one that can be loaded as well.

    A page of which nothing can be opened is followed by the next one: an empty page has no cursor.
    """
    while True:
        page = await load(after)
        rows = await opened(page.data)
        if rows or not page.has_more or page.after is None:
            break
        after = page.after
    if len(rows) == len(page.data):
        return Page(data=rows, has_more=page.has_more, after=page.after)
    return Page(data=rows, has_more=page.has_more, after=rows[-1].id if rows and page.has_more else None)
