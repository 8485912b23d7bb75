"""The store in memory."""

from typing import Any

import pytest
from chatkit.store import NotFoundError, Store
from chatkit.types import ThreadMetadata

from chatkit_prod.testing import MemoryStore
from chatkit_prod.testing.contract import StoreContract
from tests.servers import NOW, answer

pytestmark = pytest.mark.anyio

THREAD = ThreadMetadata(id="thr_1", created_at=NOW)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store[Any]:
        return MemoryStore()


async def test_an_item_of_an_absent_thread_is_not_found_and_not_kept() -> None:
    store = MemoryStore()
    with pytest.raises(NotFoundError):
        await store.add_thread_item("thr_1", answer(THREAD), None)
    with pytest.raises(NotFoundError):
        await store.load_thread_items("thr_1", None, 10, "asc", None)
    with pytest.raises(NotFoundError):
        await store.load_item("thr_1", "msg_answer", None)


async def test_a_cursor_that_names_nothing_is_not_found() -> None:
    store = MemoryStore()
    await store.save_thread(THREAD, None)
    with pytest.raises(NotFoundError):
        await store.load_threads(10, "thr_2", "asc", None)


async def test_deleting_what_is_not_there_does_nothing() -> None:
    store = MemoryStore()
    await store.delete_thread("thr_1", None)
    await store.delete_thread_item("thr_1", "msg_1", None)
    await store.delete_attachment("atc_1", None)


async def test_a_page_of_nothing_ends() -> None:
    store = MemoryStore()
    page = await store.load_threads(10, None, "desc", None)
    assert (page.data, page.has_more, page.after) == ([], False, None)


async def test_what_is_saved_is_a_copy() -> None:
    store = MemoryStore()
    thread = THREAD.model_copy()
    await store.save_thread(thread, None)
    thread.title = "changed"
    assert (await store.load_thread("thr_1", None)).title is None
