"""What the example stores promise to `OwnershipStore`, beyond what every ChatKit store has to do."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar

import pytest
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    Attachment,
    FileAttachment,
    ThreadMetadata,
)

from chatkit_prod import Principal, RequestContext
from chatkit_prod.access import Owner, stamped, system_principal

ISSUER = "https://idp.example.com"
NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive

ExampleStore = Store[RequestContext]
OpenStore = Callable[..., AbstractAsyncContextManager[ExampleStore]]
"""Opens one more store on the database of the test; options go to its constructor."""

Row = ThreadMetadata | Attachment
TRow = TypeVar("TRow", ThreadMetadata, Attachment)


def of_user(subject: str, *, issuer: str = ISSUER, tenant: str | None = None) -> RequestContext:
    return RequestContext(principal=Principal(issuer=issuer, subject=subject, tenant=tenant), locale="en")


ALICE = of_user("alice")
STRANGERS = {
    "another subject": of_user("bob"),
    "another issuer": of_user("alice", issuer="https://elsewhere.example"),
    "another tenant": of_user("alice", tenant="acme"),
}


def a_thread(thread_id: str = "thr_1") -> ThreadMetadata:
    return ThreadMetadata(id=thread_id, created_at=NOW, title="hers")


def a_message(text: str, item_id: str = "msg_1", thread_id: str = "thr_1") -> AssistantMessageItem:
    return AssistantMessageItem(
        id=item_id, thread_id=thread_id, created_at=NOW, content=[AssistantMessageContent(text=text)]
    )


def an_attachment() -> FileAttachment:
    return FileAttachment(id="atc_1", name="hers", mime_type="text/plain")


def owned(row: TRow, context: RequestContext = ALICE) -> TRow:
    return stamped(row, Owner.of(context.principal))


ROWS = pytest.mark.parametrize("row", [a_thread(), an_attachment()], ids=["thread", "attachment"])


async def save(store: ExampleStore, row: Row, context: RequestContext) -> None:
    if isinstance(row, ThreadMetadata):
        await store.save_thread(row, context)
    else:
        await store.save_attachment(row, context)


async def load(store: ExampleStore, row: Row) -> ThreadMetadata | Attachment:
    if isinstance(row, ThreadMetadata):
        return await store.load_thread(row.id, ALICE)
    return await store.load_attachment(row.id, ALICE)


async def listed(store: ExampleStore, context: RequestContext) -> list[str]:
    return [thread.id for thread in (await store.load_threads(10, None, "asc", context)).data]


async def outcomes(calls: Iterable[Coroutine[Any, Any, None]]) -> Counter[type[Any]]:
    """Run calls at once, and count what they return and raise."""
    return Counter(map(type, await asyncio.gather(*calls, return_exceptions=True)))


class OwnerColumn:
    """Subclass it and override the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> OpenStore:
        raise NotImplementedError

    @pytest.fixture
    async def store(self, opened: OpenStore) -> AsyncGenerator[ExampleStore]:
        async with opened() as store:
            yield store

    @ROWS
    async def test_an_owner_replaces_their_row(self, store: ExampleStore, row: TRow) -> None:
        await save(store, owned(row), ALICE)
        changed = owned(row.model_copy(update={"metadata": {"changed": True}}))
        await save(store, changed, ALICE)
        assert await load(store, row) == changed

    @ROWS
    @pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
    async def test_a_row_never_becomes_somebody_elses(
        self, store: ExampleStore, row: TRow, stranger: RequestContext
    ) -> None:
        await save(store, owned(row), ALICE)
        with pytest.raises(NotFoundError):
            await save(store, owned(row, stranger), stranger)
        assert await load(store, row) == owned(row)

    @ROWS
    async def test_a_row_does_not_lose_its_owner(self, store: ExampleStore, row: TRow) -> None:
        await save(store, owned(row), ALICE)
        with pytest.raises(NotFoundError):
            await save(store, row, ALICE)
        assert await load(store, row) == owned(row)

    @ROWS
    async def test_a_row_without_an_owner_can_be_saved_again_and_stamped(
        self, store: ExampleStore, row: TRow
    ) -> None:
        await save(store, row, ALICE)
        await save(store, row, ALICE)
        assert await load(store, row) == row
        await save(store, owned(row), ALICE)
        assert await load(store, row) == owned(row)

    @ROWS
    @pytest.mark.parametrize("is_there", [False, True], ids=["new", "without an owner"])
    async def test_of_many_who_claim_one_id_at_once_exactly_one_owns_it(
        self, store: ExampleStore, opened: OpenStore, row: TRow, is_there: bool
    ) -> None:
        if is_there:
            await save(store, row, ALICE)
        users = [of_user(str(number)) for number in range(20)]
        async with opened() as second:
            claims = [
                save((store, second)[number % 2], owned(row, user), user) for number, user in enumerate(users)
            ]
            counted = await outcomes(claims)
        assert counted == {type(None): 1, NotFoundError: 19}
        assert await load(store, row) in [owned(row, user) for user in users]

    async def test_everybody_lists_their_own_threads(self, store: ExampleStore) -> None:
        users = [ALICE, *STRANGERS.values()]
        for number, user in enumerate(users):
            await store.save_thread(owned(a_thread(f"thr_{number}"), user), user)
        await store.save_thread(a_thread("thr_of_nobody"), ALICE)
        for number, user in enumerate(users):
            assert await listed(store, user) == [f"thr_{number}"]

    async def test_a_thread_that_is_stamped_is_listed_from_then_on(self, store: ExampleStore) -> None:
        await store.save_thread(a_thread(), ALICE)
        assert await listed(store, ALICE) == []
        await store.save_thread(owned(a_thread()), ALICE)
        assert await listed(store, ALICE) == ["thr_1"]

    async def test_a_job_lists_the_threads_of_all(self, store: ExampleStore) -> None:
        await self._fill_with_all_kinds(store)
        job = RequestContext(principal=system_principal("retention"))
        assert await listed(store, job) == ["thr_1", "thr_2", "thr_3"]

    async def test_without_the_filter_everybody_lists_the_threads_of_all(
        self, store: ExampleStore, opened: OpenStore
    ) -> None:
        await self._fill_with_all_kinds(store)
        async with opened(filters_by_owner=False) as second:
            assert await listed(second, ALICE) == ["thr_1", "thr_2", "thr_3"]

    @staticmethod
    async def _fill_with_all_kinds(store: ExampleStore) -> None:
        bob = STRANGERS["another subject"]
        await store.save_thread(owned(a_thread("thr_1")), ALICE)
        await store.save_thread(owned(a_thread("thr_2"), bob), bob)
        await store.save_thread(a_thread("thr_3"), ALICE)

    async def test_threads_of_the_same_moment_are_paged_in_the_order_in_which_they_were_made(
        self, store: ExampleStore
    ) -> None:
        made = [f"thr_{number}" for number in (3, 1, 4, 2, 5)]
        for thread_id in made:
            await store.save_thread(owned(a_thread(thread_id)), ALICE)
        found: list[str] = []
        after: str | None = None
        while True:
            page = await store.load_threads(2, after, "asc", ALICE)
            found += [thread.id for thread in page.data]
            after = page.after
            if not page.has_more:
                break
        assert found == made

    @pytest.mark.parametrize("order", ["asc", "desc"])
    async def test_an_absent_cursor_is_not_found(self, store: ExampleStore, order: str) -> None:
        await self._fill(store)
        with pytest.raises(NotFoundError):
            await store.load_threads(10, "thr_absent", order, ALICE)
        with pytest.raises(NotFoundError):
            await store.load_thread_items("thr_1", "msg_absent", 10, order, ALICE)
        with pytest.raises(NotFoundError):
            await store.load_thread_items("thr_1", "msg_of_another_thread", 10, order, ALICE)

    @pytest.mark.parametrize("after", [None, "msg_1"])
    async def test_the_items_of_an_absent_thread_are_not_found(
        self, store: ExampleStore, after: str | None
    ) -> None:
        await self._fill(store)
        with pytest.raises(NotFoundError):
            await store.load_thread_items("thr_absent", after, 10, "asc", ALICE)

    async def test_beyond_the_last_row_there_is_an_empty_page(self, store: ExampleStore) -> None:
        await self._fill(store)
        assert (await store.load_threads(10, "thr_2", "asc", ALICE)).data == []
        assert (await store.load_thread_items("thr_1", "msg_1", 10, "asc", ALICE)).data == []

    @staticmethod
    async def _fill(store: ExampleStore) -> None:
        for thread_id, item_id in (("thr_1", "msg_1"), ("thr_2", "msg_of_another_thread")):
            await store.save_thread(owned(a_thread(thread_id)), ALICE)
            await store.add_thread_item(thread_id, a_message("hers", item_id, thread_id), ALICE)

    @pytest.mark.parametrize("call", ["add_thread_item", "save_item"])
    async def test_an_item_needs_its_thread(self, store: ExampleStore, call: str) -> None:
        with pytest.raises(NotFoundError):
            await getattr(store, call)("thr_absent", a_message("hers"), ALICE)

    async def test_a_call_that_is_cancelled_half_way_leaves_no_transaction_open(
        self, store: ExampleStore, opened: OpenStore
    ) -> None:
        await store.save_thread(owned(a_thread()), ALICE)
        await store.add_thread_item("thr_1", a_message("hers"), ALICE)
        async with opened() as second:
            for number in range(100):
                call = asyncio.create_task(store.save_item("thr_1", a_message(f"draft {number}"), ALICE))
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait({call})
                await second.save_item("thr_1", a_message(f"last {number}", f"msg_{number}"), ALICE)
            page = await store.load_thread_items("thr_1", None, 200, "asc", ALICE)
        assert len(page.data) == 100  # msg_1 is one of them
