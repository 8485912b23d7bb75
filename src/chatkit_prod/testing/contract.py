"""What every ChatKit store has to do, as tests that an app runs against its own.

from chatkit_prod.testing.contract import StoreContract

class TestMyStore(StoreContract):
    @pytest.fixture
    async def store(self):
        ...
"""

from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    FileAttachment,
    InferenceOptions,
    LockedStatus,
    Page,
    SDKHiddenContextItem,
    Thread,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

_START = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - ChatKit's own times are naive
_TEXT = "Grüße, 你好, 👋🏽 \u202eevil\u202c ' \" \\ ;--"


@pytest.mark.anyio
class StoreContract:
    """Subclass it and override the fixture `store`; override `context` where the store needs one of its own."""

    @pytest.fixture(scope="session")
    @classmethod
    def anyio_backend(cls) -> str:
        """ChatKit runs on asyncio."""
        return "asyncio"

    @pytest.fixture
    def store(self) -> Store[Any]:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    @pytest.fixture
    def context(self) -> Any:
        """Return the context of one user."""
        return None

    async def test_a_saved_thread_comes_back_whole(self, store: Store[Any], context: Any) -> None:
        """Title, times, status and metadata survive."""
        thread = _thread(
            store, context, title=_TEXT, status=LockedStatus(reason=_TEXT), metadata={"a": [1, {"b": _TEXT}]}
        )
        await store.save_thread(thread, context)
        assert await store.load_thread(thread.id, context) == thread

    async def test_saving_a_thread_again_replaces_it(self, store: Store[Any], context: Any) -> None:
        """The second version is the only one."""
        thread = await _saved_thread(store, context)
        changed = thread.model_copy(update={"title": "second"})
        await store.save_thread(changed, context)
        assert await store.load_thread(thread.id, context) == changed
        assert len((await store.load_threads(10, None, "desc", context)).data) == 1

    async def test_of_a_thread_with_its_items_the_metadata_is_saved(
        self, store: Store[Any], context: Any
    ) -> None:
        """ChatKit saves a `Thread` where `respond` has changed a new one, and loads it as metadata."""
        thread = await _saved_thread(store, context)
        whole = Thread.model_validate({**thread.model_dump(), "title": "second", "items": Page()})
        await store.save_thread(whole, context)
        loaded = await store.load_thread(thread.id, context)
        assert type(loaded) is ThreadMetadata
        assert loaded == thread.model_copy(update={"title": "second"})

    async def test_an_absent_thread_is_not_found(self, store: Store[Any], context: Any) -> None:
        """`NotFoundError` is what becomes a 404."""
        with pytest.raises(NotFoundError):
            await store.load_thread("thr_absent", context)

    async def test_an_absent_item_is_not_found(self, store: Store[Any], context: Any) -> None:
        """Likewise an item, in a thread that is there."""
        thread = await _saved_thread(store, context)
        with pytest.raises(NotFoundError):
            await store.load_item(thread.id, "msg_absent", context)

    async def test_an_absent_attachment_is_not_found(self, store: Store[Any], context: Any) -> None:
        """Likewise an attachment."""
        with pytest.raises(NotFoundError):
            await store.load_attachment("atc_absent", context)

    async def test_what_is_loaded_is_a_copy(self, store: Store[Any], context: Any) -> None:
        """ChatKit changes what it has loaded before it saves it, or fails and does not."""
        thread = await _saved_thread(store, context)
        (await store.load_thread(thread.id, context)).title = "changed"
        assert (await store.load_thread(thread.id, context)).title == thread.title

    async def test_every_kind_of_item_comes_back_whole(self, store: Store[Any], context: Any) -> None:
        """Also a hidden one: only the wire leaves it out."""
        thread = await _saved_thread(store, context)
        for item in (
            _user_message(store, thread, context),
            _assistant_message(store, thread, context, _TEXT),
            SDKHiddenContextItem(
                id=store.generate_item_id("sdk_hidden_context", thread, context),
                thread_id=thread.id,
                created_at=_START,
                content=_TEXT,
            ),
        ):
            await store.add_thread_item(thread.id, item, context)
            assert await store.load_item(thread.id, item.id, context) == item

    async def test_adding_an_item_twice_keeps_the_second(self, store: Store[Any], context: Any) -> None:
        """A stream that is cancelled while it stores an item stores it once more."""
        thread = await _saved_thread(store, context)
        item = _assistant_message(store, thread, context, "first")
        await store.add_thread_item(thread.id, item, context)
        item.content[0].text = "second"
        await store.add_thread_item(thread.id, item, context)
        assert (await store.load_thread_items(thread.id, None, 10, "asc", context)).data == [item]

    async def test_saving_an_item_replaces_it_in_its_place(self, store: Store[Any], context: Any) -> None:
        """Its neighbours keep their order."""
        thread = await _saved_thread(store, context)
        items = await _saved_items(store, thread, context, 3)
        changed = _assistant_message(store, thread, context, "changed").model_copy(
            update={"id": items[1].id, "created_at": items[1].created_at}
        )
        await store.save_item(thread.id, changed, context)
        page = await store.load_thread_items(thread.id, None, 10, "asc", context)
        assert page.data == [items[0], changed, items[2]]

    @pytest.mark.parametrize("order", ["asc", "desc"])
    async def test_pages_of_items_are_complete_and_in_order(
        self, store: Store[Any], context: Any, order: str
    ) -> None:
        """Whatever the size of a page: nothing twice, nothing missing, `has_more` true."""
        thread = await _saved_thread(store, context)
        items = await _saved_items(store, thread, context, 7)
        expected = [item.id for item in (items if order == "asc" else reversed(items))]
        for size in (1, 3, 7, 10):
            found, after = list[str](), None
            while True:
                page = await store.load_thread_items(thread.id, after, size, order, context)
                found += [item.id for item in page.data]
                assert len(page.data) <= size
                if not page.has_more:
                    break
                after = page.after
                assert after is not None
            assert found == expected

    @pytest.mark.parametrize("order", ["asc", "desc"])
    async def test_pages_of_threads_are_complete_and_in_order(
        self, store: Store[Any], context: Any, order: str
    ) -> None:
        """Likewise threads, by their time of creation."""
        threads = [
            _thread(store, context, created_at=_START + timedelta(seconds=second)) for second in range(5)
        ]
        for thread in threads:
            await store.save_thread(thread, context)
        found, after = list[str](), None
        while True:
            page = await store.load_threads(2, after, order, context)
            found += [thread.id for thread in page.data]
            if not page.has_more:
                break
            after = page.after
            assert after is not None
        assert found == [thread.id for thread in (threads if order == "asc" else reversed(threads))]

    async def test_a_deleted_thread_is_gone_with_its_items(self, store: Store[Any], context: Any) -> None:
        """Its neighbours stay."""
        thread, neighbour = await _saved_thread(store, context), await _saved_thread(store, context)
        item, *_ = await _saved_items(store, thread, context, 1)
        await store.delete_thread(thread.id, context)
        with pytest.raises(NotFoundError):
            await store.load_thread(thread.id, context)
        with pytest.raises(NotFoundError):
            await store.load_item(thread.id, item.id, context)
        assert await store.load_thread(neighbour.id, context) == neighbour

    async def test_a_deleted_item_is_gone(self, store: Store[Any], context: Any) -> None:
        """Its neighbours stay."""
        thread = await _saved_thread(store, context)
        first, second = await _saved_items(store, thread, context, 2)
        await store.delete_thread_item(thread.id, first.id, context)
        assert (await store.load_thread_items(thread.id, None, 10, "asc", context)).data == [second]

    async def test_an_item_belongs_to_its_thread(self, store: Store[Any], context: Any) -> None:
        """It cannot be loaded by way of another one."""
        thread, other = await _saved_thread(store, context), await _saved_thread(store, context)
        item, *_ = await _saved_items(store, thread, context, 1)
        with pytest.raises(NotFoundError):
            await store.load_item(other.id, item.id, context)

    async def test_two_threads_may_have_items_with_one_id(self, store: Store[Any], context: Any) -> None:
        """The model's provider makes ids as well: a second one must not replace what is in another thread."""
        thread, other = await _saved_thread(store, context), await _saved_thread(store, context)
        item, *_ = await _saved_items(store, thread, context, 1)
        namesake = item.model_copy(update={"thread_id": other.id, "created_at": _START + timedelta(days=1)})
        await store.add_thread_item(other.id, namesake, context)
        await store.save_item(other.id, namesake, context)
        assert await store.load_item(thread.id, item.id, context) == item
        await store.delete_thread_item(other.id, namesake.id, context)
        assert (await store.load_thread_items(thread.id, None, 10, "asc", context)).data == [item]

    async def test_a_cursor_is_the_id_of_the_last_row(self, store: Store[Any], context: Any) -> None:
        """ChatKit says so nowhere and does so everywhere; a guard has to know whose a cursor is."""
        thread, _ = await _saved_thread(store, context), await _saved_thread(store, context)
        await _saved_items(store, thread, context, 2)
        items = await store.load_thread_items(thread.id, None, 1, "asc", context)
        threads = await store.load_threads(1, None, "asc", context)
        assert (items.after, threads.after) == (items.data[0].id, threads.data[0].id)

    async def test_an_absent_cursor_is_not_found(self, store: Store[Any], context: Any) -> None:
        """A page from the start would be shown twice."""
        thread = await _saved_thread(store, context)
        with pytest.raises(NotFoundError):
            await store.load_threads(10, "thr_absent", "desc", context)
        with pytest.raises(NotFoundError):
            await store.load_thread_items(thread.id, "msg_absent", 10, "asc", context)

    async def test_an_attachment_is_saved_replaced_and_deleted(self, store: Store[Any], context: Any) -> None:
        """With its metadata, which the client never sees."""
        attachment = FileAttachment(id="atc_1", name=_TEXT, mime_type="text/plain", metadata={"secret": 1})
        await store.save_attachment(attachment, context)
        assert await store.load_attachment("atc_1", context) == attachment
        bound = attachment.model_copy(update={"thread_id": (await _saved_thread(store, context)).id})
        await store.save_attachment(bound, context)
        assert await store.load_attachment("atc_1", context) == bound
        await store.delete_attachment("atc_1", context)
        with pytest.raises(NotFoundError):
            await store.load_attachment("atc_1", context)

    async def test_new_ids_differ(self, store: Store[Any], context: Any) -> None:
        """A thousand of each."""
        thread = _thread(store, context)
        ids = {store.generate_thread_id(context) for _ in range(1000)}
        ids |= {store.generate_item_id("message", thread, context) for _ in range(1000)}
        assert len(ids) == 2000  # noqa: PLR2004

    async def test_items_added_at_the_same_time_are_all_there(self, store: Store[Any], context: Any) -> None:
        """Two tabs may write to one thread."""
        thread = await _saved_thread(store, context)
        items = [_assistant_message(store, thread, context, str(number)) for number in range(20)]
        async with anyio.create_task_group() as group:
            for item in items:
                group.start_soon(store.add_thread_item, thread.id, item, context)
        page = await store.load_thread_items(thread.id, None, 50, "asc", context)
        assert {item.id for item in page.data} == {item.id for item in items}


def _thread(store: Store[Any], context: Any, **fields: Any) -> ThreadMetadata:
    values: dict[str, Any] = {"id": store.generate_thread_id(context), "created_at": _START, "title": "Title"}
    return ThreadMetadata(**values | fields)


async def _saved_thread(store: Store[Any], context: Any) -> ThreadMetadata:
    thread = _thread(store, context)
    await store.save_thread(thread, context)
    return thread


async def _saved_items(
    store: Store[Any], thread: ThreadMetadata, context: Any, count: int
) -> list[ThreadItem]:
    items: list[ThreadItem] = []
    for number in range(count):
        item = _assistant_message(store, thread, context, str(number))
        item.created_at += timedelta(seconds=number)
        await store.add_thread_item(thread.id, item, context)
        items.append(item)
    return items


def _assistant_message(
    store: Store[Any], thread: ThreadMetadata, context: Any, text: str
) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=store.generate_item_id("message", thread, context),
        thread_id=thread.id,
        created_at=_START,
        content=[AssistantMessageContent(text=text)],
    )


def _user_message(store: Store[Any], thread: ThreadMetadata, context: Any) -> UserMessageItem:
    return UserMessageItem(
        id=store.generate_item_id("message", thread, context),
        thread_id=thread.id,
        created_at=_START,
        content=[UserMessageTextContent(text=_TEXT)],
        quoted_text=_TEXT,
        inference_options=InferenceOptions(),
    )
