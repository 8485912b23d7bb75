"""Old rows get the current key, batch by batch, and nothing is lost meanwhile."""

from typing import Any

import anyio
import pytest
from chatkit.store import NotFoundError
from chatkit.types import Page, ThreadItem, ThreadMetadata

from chatkit_prod import ConfigurationError
from chatkit_prod.encryption import EncryptedStore, LocalKeyring, Resealed, UnsealError, reseal
from chatkit_prod.encryption.carrier import KEY, SEALED
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from tests.encryption.keyrings import key
from tests.encryption.rows import MARK, file, image, items, thread

pytestmark = pytest.mark.anyio

OLD, NEW = key(), key()
ONLY_OLD, BOTH, ONLY_NEW = (
    LocalKeyring({"old": OLD}),
    LocalKeyring({"new": NEW, "old": OLD}),
    LocalKeyring({"new": NEW}),
)
THREADS = 5


async def fill(store: Any) -> None:
    for number in range(THREADS):
        await store.save_thread(thread(f"thr_{number}"), None)
        for each in items(f"thr_{number}"):
            await store.add_thread_item(f"thr_{number}", each, None)
    for attachment in (file(), image()):
        await store.save_attachment(attachment, None)


async def require_whole(store: Any) -> None:
    for number in range(THREADS):
        assert await store.load_thread(f"thr_{number}", None) == thread(f"thr_{number}")
        page = await store.load_thread_items(f"thr_{number}", None, 20, "asc", None)
        assert page.data == items(f"thr_{number}")
    assert await store.load_attachment("atc_1", None) == file()
    assert await store.load_attachment("atc_2", None) == image()


async def run(store: EncryptedStore[Any], **options: Any) -> list[Resealed]:
    return [batch async for batch in reseal(store, None, **options)]


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore()


async def test_plain_rows_are_sealed(inner: MemoryStore) -> None:
    await fill(inner)
    store = EncryptedStore(inner, keyring=ONLY_NEW, plain_rows="read")
    batches = await run(store, batch=2)
    assert [batch.seen for batch in batches] == [2, 2, 1]
    assert sum(batch.threads for batch in batches) == THREADS
    assert sum(batch.items for batch in batches) == THREADS * len(items())
    assert sum(batch.attachments for batch in batches) == 2
    await require_whole(EncryptedStore(inner, keyring=ONLY_NEW))
    held = [*inner._threads.values(), *inner._attachments.values()]
    assert not any(MARK in row.model_dump_json() for row in held)
    assert not any(MARK in row.model_dump_json() for of in inner._items.values() for row in of.values())


async def test_what_is_done_is_left_alone(inner: MemoryStore) -> None:
    await fill(EncryptedStore(inner, keyring=ONLY_NEW))
    (batch,) = await run(EncryptedStore(inner, keyring=ONLY_NEW))
    assert batch == Resealed(after="thr_4", seen=THREADS)


async def test_afterwards_the_old_key_is_not_needed(inner: MemoryStore) -> None:
    await fill(EncryptedStore(inner, keyring=ONLY_OLD))
    before = {row.id: row.model_copy() for row in inner._items["thr_1"].values()}
    (batch,) = await run(EncryptedStore(inner, keyring=BOTH))
    assert (batch.threads, batch.items, batch.attachments, batch.broken) == (THREADS, 0, 2, 0)
    await require_whole(EncryptedStore(inner, keyring=ONLY_NEW))
    assert inner._items["thr_1"] == before
    with pytest.raises(UnsealError):
        await EncryptedStore(inner, keyring=ONLY_OLD).load_thread("thr_1", None)


async def test_it_goes_on_where_it_was_stopped(inner: MemoryStore) -> None:
    await fill(EncryptedStore(inner, keyring=ONLY_OLD))
    store = EncryptedStore(inner, keyring=BOTH)
    after = None
    async for batch in reseal(store, None, batch=2):
        after = batch.after
        break
    rest = await run(store, after=after, batch=2)
    assert [batch.seen for batch in rest] == [2, 1]
    await require_whole(EncryptedStore(inner, keyring=ONLY_NEW))


async def test_items_that_carry_their_key_get_that_of_their_thread(inner: MemoryStore) -> None:
    await inner.save_thread(thread(), None)
    store = EncryptedStore(inner, keyring=ONLY_OLD, plain_rows="read")
    for each in items():
        await store.add_thread_item("thr_1", each, None)
    both = EncryptedStore(inner, keyring=BOTH, plain_rows="read")
    (batch,) = await run(both)
    assert (batch.threads, batch.items) == (1, len(items()))
    reader = EncryptedStore(inner, keyring=ONLY_NEW)
    assert (await reader.load_thread_items("thr_1", None, 20, "asc", None)).data == items()


async def test_broken_rows_are_counted_and_stay(inner: MemoryStore) -> None:
    await fill(EncryptedStore(inner, keyring=ONLY_OLD))
    inner._threads["thr_0"].metadata[KEY]["id"] = "absent"
    broken: Any = inner._items["thr_1"]["itm_1"]
    broken.content[SEALED] = "1.AAAA"
    attachment: Any = inner._attachments["atc_1"]
    attachment.metadata[SEALED] = "1.AAAA"
    (batch,) = await run(EncryptedStore(inner, keyring=BOTH))
    assert (batch.threads, batch.attachments, batch.broken) == (THREADS - 1, 1, 1 + 1 + THREADS - 1)


async def test_of_no_threads_there_is_one_empty_batch(inner: MemoryStore) -> None:
    assert await run(EncryptedStore(inner, keyring=BOTH)) == [Resealed()]


class Deleting(DelegatingStore[Any]):
    """Deletes what it has just listed, as somebody else may."""

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        page = await super().load_threads(limit, after, order, context)
        for number, row in enumerate(page.data):
            if number % 2:
                await super().delete_thread(row.id, context)
        return page

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        page = await super().load_thread_items(thread_id, after, limit, order, context)
        for number, row in enumerate(page.data):
            if number % 2:
                await super().delete_thread_item(thread_id, row.id, context)
        if thread_id == "thr_2" and after is not None:
            await super().delete_thread(thread_id, context)
        return page

    async def load_attachment(self, attachment_id: str, context: Any) -> Any:
        raise NotFoundError


async def test_what_is_deleted_meanwhile_stays_deleted_and_the_rest_is_done(inner: MemoryStore) -> None:
    await fill(EncryptedStore(inner, keyring=ONLY_OLD))
    batches = await run(EncryptedStore(Deleting(inner), keyring=BOTH), batch=2)
    assert sum(batch.broken for batch in batches) == 0
    assert {row.metadata[KEY]["id"] for row in inner._threads.values()} == {"new"}
    assert "thr_1" not in inner._threads
    assert "thr_2" not in inner._threads
    assert "itm_1" not in inner._items["thr_0"]


async def test_what_is_saved_while_a_thread_is_resealed_is_not_lost(inner: MemoryStore) -> None:
    loaded, may_go_on = anyio.Event(), anyio.Event()

    class Pausing(DelegatingStore[Any]):
        async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
            row = await super().load_thread(thread_id, context)
            if not loaded.is_set():
                loaded.set()
                await may_go_on.wait()
            return row

    await EncryptedStore(inner, keyring=ONLY_OLD).save_thread(thread(), None)
    store = EncryptedStore(Pausing(inner), keyring=BOTH)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(store.reseal_thread, "thr_1", None)
            await loaded.wait()
            group.start_soon(store.save_thread, thread(title="newest"), None)
            await anyio.wait_all_tasks_blocked()
            may_go_on.set()
    reader = EncryptedStore(inner, keyring=ONLY_NEW)
    assert (await reader.load_thread("thr_1", None)).title == "newest"


@pytest.mark.parametrize(
    ("store", "batch"),
    [(MemoryStore(), 1), (None, 0), (None, True)],
    ids=["another store", "none", "a truth"],
)
async def test_wrong_arguments_are_refused(inner: MemoryStore, store: Any, batch: Any) -> None:
    with pytest.raises(ConfigurationError):
        await run(store or EncryptedStore(inner, keyring=BOTH), batch=batch)
