"""Whatever the inner store does, a user reaches what is theirs and nothing else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from chatkit.errors import CustomStreamError
from chatkit.store import NotFoundError
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    ClosedStatus,
    LockedStatus,
    Page,
    ThreadItem,
    ThreadMetadata,
)
from cryptography.fernet import Fernet

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import (
    OWNER_KEY,
    AccessPolicy,
    HasRole,
    Owner,
    OwnerOnly,
    OwnershipAttachmentStore,
    OwnershipStore,
    PerAction,
    SameTenant,
    owner_of,
    stamped,
    system_principal,
)
from chatkit_prod.access.store import guarded_store
from chatkit_prod.errors import ForbiddenError
from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore
from chatkit_prod.testing import MemoryStore
from tests.access.people import (
    ALICE,
    BOB,
    EVE,
    NOW,
    attachment,
    message,
    of,
    principal,
    question,
    request_of,
    thread,
)

pytestmark = pytest.mark.anyio

Store = OwnershipStore[RequestContext]


class Watched(MemoryStore):
    """A store that notes its calls, and does nothing about whose anything is."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        self.calls.append("load_thread")
        return await super().load_thread(thread_id, context)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        self.calls.append("load_item")
        return await super().load_item(thread_id, item_id, context)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        self.calls.append("load_attachment")
        return await super().load_attachment(attachment_id, context)


@pytest.fixture
def inner() -> Watched:
    return Watched()


@pytest.fixture
async def store(inner: Watched) -> Store:
    """Return a store in which everything is Alice's."""
    store: Store = OwnershipStore(inner)
    await store.save_thread(thread(), ALICE)
    await store.add_thread_item("thr_1", message(), ALICE)
    await store.save_attachment(attachment(), ALICE)
    inner.calls.clear()
    return store


Call = Callable[[Store, str, RequestContext], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "load_thread": lambda store, key, who: store.load_thread(f"thr_{key}", who),
    "save_thread": lambda store, key, who: store.save_thread(thread(f"thr_{key}", title="stolen"), who),
    "delete_thread": lambda store, key, who: store.delete_thread(f"thr_{key}", who),
    "load_threads": lambda store, key, who: store.load_threads(10, f"thr_{key}", "desc", who),
    "load_thread_items": lambda store, key, who: store.load_thread_items(f"thr_{key}", None, 10, "asc", who),
    "load_item": lambda store, key, who: store.load_item(f"thr_{key}", "msg_1", who),
    "add_thread_item": lambda store, key, who: store.add_thread_item(
        f"thr_{key}", message("msg_2", f"thr_{key}"), who
    ),
    "save_item": lambda store, key, who: store.save_item(
        f"thr_{key}", message("msg_1", f"thr_{key}", text="forged"), who
    ),
    "delete_thread_item": lambda store, key, who: store.delete_thread_item(f"thr_{key}", "msg_1", who),
    "load_attachment": lambda store, key, who: store.load_attachment(f"atc_{key}", who),
    "save_attachment": lambda store, key, who: store.save_attachment(
        attachment(f"atc_{key}", name="stolen.txt"), who
    ),
    "delete_attachment": lambda store, key, who: store.delete_attachment(f"atc_{key}", who),
}
MAKING = {"save_thread", "save_attachment"}
"""What makes a row that is absent, and so has another answer for it."""


@pytest.mark.parametrize("stranger", [BOB, EVE], ids=["same tenant", "other tenant"])
@pytest.mark.parametrize("name", CALLS)
async def test_what_is_another_users_is_not_found(
    store: Store, inner: Watched, name: str, stranger: RequestContext
) -> None:
    before = rows_of(inner)
    with pytest.raises(NotFoundError):
        await CALLS[name](store, "1", stranger)
    assert rows_of(inner) == before


@pytest.mark.parametrize("name", sorted(CALLS.keys() - MAKING))
async def test_foreign_and_absent_take_the_same_calls_of_the_inner_store(
    store: Store, inner: Watched, name: str
) -> None:
    calls: list[list[str]] = []
    for key in ("1", "absent"):
        inner.calls.clear()
        with pytest.raises(NotFoundError) as refusal:
            await CALLS[name](store, key, BOB)
        assert refusal.value.args == ()
        calls.append(inner.calls.copy())
    assert calls[0] == calls[1]


@pytest.mark.parametrize("name", CALLS)
async def test_the_owner_may_do_everything(store: Store, name: str) -> None:
    await CALLS[name](store, "1", ALICE)


@pytest.mark.parametrize("name", CALLS)
async def test_whoever_has_no_principal_may_do_nothing(store: Store, inner: Watched, name: str) -> None:
    before = rows_of(inner)
    with pytest.raises(ConfigurationError, match="principal"):
        await CALLS[name](store, "1", RequestContext())
    assert rows_of(inner) == before


READS = {"load_thread", "load_threads", "load_thread_items", "load_item", "load_attachment"}


@pytest.mark.parametrize("name", CALLS)
async def test_who_shares_a_tenant_may_read_and_no_more(inner: Watched, store: Store, name: str) -> None:
    shared: Store = OwnershipStore(inner, policy=SameTenant())
    if name in READS:
        await CALLS[name](shared, "1", BOB)
    else:
        with pytest.raises(NotFoundError):
            await CALLS[name](shared, "1", BOB)
    with pytest.raises(NotFoundError):
        await CALLS[name](shared, "1", EVE)


def rows_of(inner: MemoryStore) -> Any:
    threads = {key: row.model_dump() for key, row in inner._threads.items()}
    items = {key: [item.model_dump() for item in rows.values()] for key, rows in inner._items.items()}
    return threads, items, {key: row.model_dump() for key, row in inner._attachments.items()}


# ------------------------------------------------------------------------------------------------ stamps


async def test_a_new_row_is_stamped_with_who_made_it_and_nobody_sees_the_stamp(
    store: Store, inner: Watched
) -> None:
    stamp = str(Owner.of(ALICE.principal))
    assert inner._threads["thr_1"].metadata == {OWNER_KEY: stamp}
    assert inner._attachments["atc_1"].metadata == {OWNER_KEY: stamp}
    assert (await store.load_thread("thr_1", ALICE)).metadata == {}
    assert (await store.load_attachment("atc_1", ALICE)).metadata is None
    assert [found.metadata for found in (await store.load_threads(10, None, "asc", ALICE)).data] == [{}]


@pytest.mark.parametrize("forged", [str(Owner.of(BOB.principal)), "", None, 1, {"a": 1}], ids=repr)
async def test_the_stamp_cannot_be_overwritten(store: Store, inner: Watched, forged: object) -> None:
    await store.save_thread(thread(metadata={OWNER_KEY: forged, "kept": 1}), ALICE)
    await store.save_thread(thread("thr_2", metadata={OWNER_KEY: forged}), ALICE)
    await store.save_attachment(attachment(metadata={OWNER_KEY: forged}), ALICE)
    rows = [*inner._threads.values(), *inner._attachments.values()]
    assert {owner_of(row) for row in rows} == {Owner.of(ALICE.principal)}
    assert (await store.load_thread("thr_1", ALICE)).metadata == {"kept": 1}


async def test_what_is_saved_is_not_changed(store: Store) -> None:
    given, file = thread("thr_2"), attachment("atc_2")
    await store.save_thread(given, ALICE)
    await store.save_attachment(file, ALICE)
    assert (given, file) == (thread("thr_2"), attachment("atc_2"))


async def test_another_who_may_write_does_not_become_the_owner(inner: Watched, store: Store) -> None:
    class Anybody:
        async def allows(self, *_: object) -> bool:
            return True

    anybody: Store = OwnershipStore(inner, policy=Anybody())
    await anybody.save_thread(thread(title="by Bob"), BOB)
    await anybody.save_attachment(attachment(name="by Bob"), BOB)
    assert owner_of(inner._threads["thr_1"]) == Owner.of(ALICE.principal)
    assert owner_of(inner._attachments["atc_1"]) == Owner.of(ALICE.principal)


async def test_what_may_not_be_made_is_forbidden(inner: Watched) -> None:
    readers: Store = OwnershipStore(inner, policy=PerAction({"threads:read": OwnerOnly()}))
    for make in (readers.save_thread(thread(), ALICE), readers.save_attachment(attachment(), ALICE)):
        with pytest.raises(ForbiddenError):
            await make
    assert rows_of(inner) == ({}, {}, {})


async def test_of_two_who_make_one_id_at_once_exactly_one_owns_it() -> None:
    class Slow(MemoryStore):
        async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
            await asyncio.sleep(0)
            try:
                return await super().load_thread(thread_id, context)
            finally:
                await asyncio.sleep(0)

        async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
            await asyncio.sleep(0)
            await super().save_thread(thread, context)

    inner = Slow()
    store: Store = OwnershipStore(inner)
    users = [principal(f"user_{number}") for number in range(20)]
    made = await asyncio.gather(
        *(store.save_thread(thread(title=user.subject), of(user)) for user in users), return_exceptions=True
    )
    (winner,) = [user for user, error in zip(users, made, strict=True) if error is None]
    assert [type(error) for error in made].count(NotFoundError) == len(users) - 1
    row = inner._threads["thr_1"]
    assert (owner_of(row), row.title) == (Owner.of(winner), winner.subject)


# ------------------------------------------------------------------------------------------------ without a stamp


async def owns(row: ThreadMetadata | Attachment, who: Principal, _: RequestContext) -> bool:
    """What an app knows of old: Alice made everything."""
    assert OWNER_KEY not in (row.metadata or {})
    return who == ALICE.principal


@pytest.fixture
async def old(inner: Watched) -> Watched:
    """Return a store with rows from before it was guarded."""
    await inner.save_thread(thread(metadata={"kept": 1}), None)
    await inner.add_thread_item("thr_1", message(), None)
    await inner.save_attachment(attachment(), None)
    return inner


@pytest.mark.parametrize("name", CALLS)
async def test_what_has_no_stamp_is_nobodys(old: Watched, name: str) -> None:
    before = rows_of(old)
    with pytest.raises(NotFoundError):
        await CALLS[name](OwnershipStore(old), "1", ALICE)
    assert rows_of(old) == before


@pytest.mark.parametrize("name", CALLS)
async def test_what_has_no_stamp_becomes_the_property_of_whom_the_app_names(old: Watched, name: str) -> None:
    store: Store = OwnershipStore(old, unowned="adopt", owns=owns)
    before = rows_of(old)
    with pytest.raises(NotFoundError):
        await CALLS[name](store, "1", BOB)
    assert rows_of(old) == before
    await CALLS[name](store, "1", ALICE)
    stamped_rows = [row for row in (*old._threads.values(), *old._attachments.values()) if owner_of(row)]
    assert stamped_rows or name.startswith("delete")
    denying: Store = OwnershipStore(old)
    for row in stamped_rows:
        load = denying.load_thread if isinstance(row, ThreadMetadata) else denying.load_attachment
        assert (await load(row.id, ALICE)).metadata in ({"kept": 1}, {}, None)


async def test_a_list_adopts_what_it_shows(old: Watched) -> None:
    store: Store = OwnershipStore(old, unowned="adopt", owns=owns)
    assert (await store.load_threads(10, None, "asc", BOB)).data == []
    (shown,) = (await store.load_threads(10, None, "asc", ALICE)).data
    assert shown == thread(metadata={"kept": 1})
    assert owner_of(old._threads["thr_1"]) == Owner.of(ALICE.principal)


async def test_a_stamp_that_cannot_be_read_is_not_adopted(inner: Watched) -> None:
    await inner.save_thread(thread(metadata={OWNER_KEY: "gibberish"}), None)
    store: Store = OwnershipStore(inner, unowned="adopt", owns=owns)
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_1", ALICE)


@pytest.mark.parametrize("answer", [1, "yes", None, ValueError("Alice")], ids=repr)
async def test_only_a_plain_yes_adopts(
    old: Watched, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    async def unsure(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    store: Store = OwnershipStore(old, unowned="adopt", owns=unsure)
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_1", ALICE)
    assert "Alice" not in caplog.text
    assert ("hook owns= failed" in caplog.text) is isinstance(answer, Exception)


async def test_of_two_who_are_both_named_the_first_owns_it(old: Watched) -> None:
    async def everybody(*_: object) -> bool:
        await asyncio.sleep(0)
        return True

    store: Store = OwnershipStore(old, unowned="adopt", owns=everybody)
    loads = (store.load_thread("thr_1", who) for who in (ALICE, BOB))
    first, second = await asyncio.gather(*loads, return_exceptions=True)
    assert isinstance(first, ThreadMetadata)
    assert isinstance(second, NotFoundError)
    assert owner_of(old._threads["thr_1"]) == Owner.of(ALICE.principal)


# ------------------------------------------------------------------------------------------------ in a request


async def test_a_request_looks_each_thread_up_once(store: Store, inner: Watched) -> None:
    with request_of(ALICE.principal):
        for number in range(5):
            await store.add_thread_item("thr_1", message(f"msg_{number}"), ALICE)
            await store.load_thread_items("thr_1", None, 10, "asc", ALICE)
            await store.save_thread(thread(title=str(number)), ALICE)
        await store.load_thread_items("thr_1", "msg_3", 10, "asc", ALICE)
        await store.delete_thread_item("thr_1", "msg_2", ALICE)
    assert inner.calls == ["load_thread"]


async def test_a_request_looks_each_attachment_up_once(store: Store, inner: Watched) -> None:
    with request_of(ALICE.principal):
        for number in range(5):
            await store.save_attachment(attachment(name=str(number)), ALICE)
        await store.delete_attachment("atc_1", ALICE)
    assert inner.calls == ["load_attachment"]


async def test_outside_of_a_request_nothing_is_remembered(store: Store, inner: Watched) -> None:
    await store.save_thread(thread(), ALICE)
    await store.save_thread(thread(), ALICE)
    assert inner.calls == ["load_thread"] * 2


async def test_what_one_request_knows_does_not_help_another_user(store: Store) -> None:
    with request_of(ALICE.principal):
        await store.load_thread("thr_1", ALICE)
        with pytest.raises(NotFoundError):
            await store.load_thread("thr_1", BOB)
        with pytest.raises(NotFoundError):
            await store.save_thread(thread(title="stolen"), BOB)
    with request_of(BOB.principal), pytest.raises(NotFoundError):
        await store.load_thread("thr_1", BOB)


async def test_what_a_request_has_made_it_may_undo(inner: Watched) -> None:
    makers: Store = OwnershipStore(inner, policy=PerAction({"threads:create": OwnerOnly()}))
    with request_of(ALICE.principal):
        await makers.save_thread(thread(), ALICE)
        await makers.delete_thread("thr_1", ALICE)
        await makers.save_thread(thread(), ALICE)
    with request_of(ALICE.principal), pytest.raises(NotFoundError):
        await makers.delete_thread("thr_1", ALICE)
    assert list(inner._threads) == ["thr_1"]


async def test_a_principal_that_is_made_anew_is_the_same_user(store: Store) -> None:
    asked: list[object] = []

    class Asked(OwnerOnly):
        async def allows(self, *question: Any) -> bool:
            asked.append(question)
            return await super().allows(*question)

    anew: Store = OwnershipStore(store.inner, policy=Asked(), principal=lambda _: principal("alice"))
    with request_of(ALICE.principal):
        for _ in range(3):
            await anew.load_thread_items("thr_1", None, 10, "asc", ALICE)
    assert len(asked) == 1


async def test_a_tool_can_ask_before_it_acts(store: Store) -> None:
    async def ask(who: RequestContext) -> None:
        await store.require_thread("thr_1", "threads:write", who)

    async def ask_about_an_item(who: RequestContext) -> None:
        await store.require_item("thr_1", "msg_1", "threads:write", who)

    async def ask_about_an_attachment(who: RequestContext) -> None:
        await store.require_attachment("atc_1", "attachments:read", who)

    for asked in (ask, ask_about_an_item, ask_about_an_attachment):
        await asked(ALICE)
        with pytest.raises(NotFoundError):
            await asked(BOB)


async def test_a_deleted_thread_is_forgotten(store: Store) -> None:
    with request_of(ALICE.principal):
        await store.delete_thread("thr_1", ALICE)
        with pytest.raises(NotFoundError):
            await store.load_thread("thr_1", ALICE)
        await store.save_thread(thread(), ALICE)


async def look_up(store: Store) -> None:
    """Do what the gate does before ChatKit loads a thread, an item and an attachment."""
    await store._threads.require("thr_1", "threads:read", ALICE, keep=True)
    await store._items.require("thr_1", "msg_1", "threads:read", ALICE, keep=True)
    await store._attachments.require("atc_1", "attachments:read", ALICE, keep=True)


async def test_what_is_looked_up_for_a_reload_is_loaded_once(store: Store, inner: Watched) -> None:
    with request_of(ALICE.principal):
        await look_up(store)
        for _ in range(2):
            assert await store.load_thread("thr_1", ALICE) == thread()
            assert await store.load_item("thr_1", "msg_1", ALICE) == message()
            assert await store.load_attachment("atc_1", ALICE) == attachment()
    once = ["load_thread", "load_item", "load_attachment"]
    assert inner.calls == once * 2  # the second time, what another request has changed is seen


async def test_what_has_been_saved_is_not_what_was_looked_up(store: Store) -> None:
    with request_of(ALICE.principal):
        await look_up(store)
        await store.save_thread(thread(title="new"), ALICE)
        await store.save_item("thr_1", message(text="new"), ALICE)
        assert (await store.load_thread("thr_1", ALICE)).title == "new"
        assert await store.load_item("thr_1", "msg_1", ALICE) == message(text="new")


async def test_the_policy_is_asked_once_for_each_action_of_a_request(inner: Watched) -> None:
    asked: list[str] = []

    class Asked(OwnerOnly):
        async def allows(self, *question: Any) -> bool:
            asked.append(question[1])
            return await super().allows(*question)

    store: Store = OwnershipStore(inner, policy=Asked())
    with request_of(ALICE.principal):
        await store.save_thread(thread(), ALICE)
        for _ in range(3):
            await store.add_thread_item("thr_1", message(), ALICE)
            await store.load_thread_items("thr_1", None, 10, "asc", ALICE)
    assert asked == ["threads:create", "threads:write", "threads:read"]


# ------------------------------------------------------------------------------------------------ items


class Careless(MemoryStore):
    """Finds an item by its id alone, and lists what was said in every thread."""

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        for rows in self._items.values():
            if item_id in rows:
                return rows[item_id]
        raise NotFoundError

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        return Page(data=[item for rows in self._items.values() for item in rows.values()])

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        for rows in self._items.values():
            rows.pop(item_id, None)


@pytest.fixture
async def careless() -> Store:
    """Return a guarded careless store with a thread of Alice's and one of Bob's."""
    store: Store = OwnershipStore(Careless())
    for who, key in ((ALICE, "1"), (BOB, "2")):
        await store.save_thread(thread(f"thr_{key}"), who)
        await store.add_thread_item(f"thr_{key}", message(f"msg_{key}", f"thr_{key}"), who)
    return store


async def test_an_item_of_another_thread_cannot_be_reached_by_way_of_ones_own(careless: Store) -> None:
    with pytest.raises(NotFoundError):
        await careless.load_item("thr_2", "msg_1", BOB)
    with pytest.raises(NotFoundError):
        await careless.require_item("thr_2", "msg_1", "feedback", BOB)
    with pytest.raises(NotFoundError):
        await careless.load_thread_items("thr_2", "msg_1", 10, "asc", BOB)
    await careless.delete_thread_item("thr_2", "msg_1", BOB)
    assert await careless.load_item("thr_1", "msg_1", ALICE) == message("msg_1")


async def test_items_of_other_threads_are_left_out_of_a_page(
    careless: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    page = await careless.load_thread_items("thr_2", None, 10, "asc", BOB)
    assert [item.id for item in page.data] == ["msg_2"]
    (record,) = caplog.records
    assert vars(record)["chatkit"]["reason"] == "of another thread"


@pytest.mark.parametrize("save", ["add_thread_item", "save_item"])
async def test_an_item_that_names_another_thread_is_refused(careless: Store, save: str) -> None:
    for thread_id in ("thr_1", "thr_absent"):
        with pytest.raises(NotFoundError):
            await getattr(careless, save)("thr_2", message("msg_3", thread_id), BOB)
    assert len((await careless.load_thread_items("thr_2", None, 10, "asc", BOB)).data) == 1


async def test_deleting_what_was_never_stored_does_nothing(store: Store) -> None:
    await store.delete_thread_item("thr_1", "msg_absent", ALICE)
    await store.delete_thread_item("thr_1", "msg_1", ALICE)
    assert (await store.load_thread_items("thr_1", None, 10, "asc", ALICE)).data == []


@pytest.mark.parametrize("limit", [-5, 0, 1, 10**9])
async def test_the_inner_store_is_never_asked_for_a_page_without_bounds(limit: int) -> None:
    asked: list[int] = []

    class Asked(MemoryStore):
        async def load_threads(
            self, limit: int, after: str | None, order: str, context: Any
        ) -> Page[ThreadMetadata]:
            asked.append(limit)
            return await super().load_threads(limit, after, order, context)

        async def load_thread_items(
            self, thread_id: str, after: str | None, limit: int, order: str, context: Any
        ) -> Page[ThreadItem]:
            asked.append(limit)
            return await super().load_thread_items(thread_id, after, limit, order, context)

    store: Store = OwnershipStore(Asked())
    await store.save_thread(thread(), ALICE)
    await store.load_threads(limit, None, "asc", ALICE)
    await store.load_thread_items("thr_1", None, limit, "asc", ALICE)
    assert all(1 <= size <= 1001 for size in asked)


# ------------------------------------------------------------------------------------------------ locked and closed


@pytest.mark.parametrize("status", [LockedStatus(reason="Escalated."), ClosedStatus(reason="Escalated.")])
@pytest.mark.parametrize("save", ["add_thread_item", "save_item"])
async def test_a_locked_thread_takes_no_message_of_a_user(
    store: Store, status: LockedStatus | ClosedStatus, save: str
) -> None:
    await store.save_thread(thread(status=status), ALICE)
    with pytest.raises(CustomStreamError) as refusal:
        await getattr(store, save)("thr_1", question("msg_2"), ALICE)
    assert refusal.value.message == "Escalated."
    await getattr(store, save)("thr_1", message("msg_3"), ALICE)  # the app may still say why
    await store.save_thread(thread(), ALICE)
    await getattr(store, save)("thr_1", question("msg_2"), ALICE)


async def test_a_thread_that_is_unlocked_in_the_request_takes_messages_again(store: Store) -> None:
    await store.save_thread(thread(status=LockedStatus()), ALICE)
    with request_of(ALICE.principal):
        with pytest.raises(CustomStreamError):
            await store.add_thread_item("thr_1", question("msg_2"), ALICE)
        await store.save_thread(thread(), ALICE)
        await store.add_thread_item("thr_1", question("msg_2"), ALICE)


# ------------------------------------------------------------------------------------------------ attachments


async def test_a_bound_attachment_stays_in_its_thread(store: Store, inner: Watched) -> None:
    await store.save_thread(thread("thr_2"), ALICE)
    await store.save_attachment(attachment(thread_id="thr_1"), ALICE)
    for thread_id in ("thr_2", None):
        with pytest.raises(NotFoundError):
            await store.save_attachment(attachment(thread_id=thread_id), ALICE)
    await store.save_attachment(attachment(thread_id="thr_1", name="new"), ALICE)
    assert (inner._attachments["atc_1"].thread_id, inner._attachments["atc_1"].name) == ("thr_1", "new")


@pytest.mark.parametrize("thread_id", ["thr_1", "thr_absent"])
async def test_an_attachment_cannot_be_bound_to_a_thread_that_is_not_ones_own(
    store: Store, inner: Watched, thread_id: str
) -> None:
    for file in (attachment("atc_2"), attachment("atc_3", thread_id=thread_id)):
        if file.thread_id is None:
            await store.save_attachment(file, BOB)
        with pytest.raises(NotFoundError):
            await store.save_attachment(file.model_copy(update={"thread_id": thread_id}), BOB)
    assert "atc_3" not in inner._attachments


class Files(DelegatingAttachmentStore[RequestContext]):
    """Registers an attachment, and stores it as ChatKit's guide does: past the guard."""

    def __init__(self, rows: MemoryStore) -> None:
        self.rows = rows
        self.deleted: list[str] = []
        self.next = attachment("atc_2")

    async def create_attachment(self, input: AttachmentCreateParams, context: RequestContext) -> Attachment:  # noqa: A002
        await self.rows.save_attachment(self.next, context)
        return self.next

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        self.deleted.append(attachment_id)

    def generate_attachment_id(self, mime_type: str, context: RequestContext) -> str:
        return f"atc_of_{mime_type}"


UPLOAD = AttachmentCreateParams(name="hers.txt", size=1, mime_type="text/plain")


async def test_only_the_owners_bytes_are_deleted(store: Store, inner: Watched) -> None:
    files = Files(inner)
    guarded = OwnershipAttachmentStore(files, store=store)
    for attachment_id in ("atc_1", "atc_absent"):
        with pytest.raises(NotFoundError):
            await guarded.delete_attachment(attachment_id, BOB)
    assert files.deleted == []
    await guarded.delete_attachment("atc_1", ALICE)
    assert files.deleted == ["atc_1"]


async def test_what_an_attachment_store_has_stored_itself_is_stamped(store: Store, inner: Watched) -> None:
    guarded = OwnershipAttachmentStore(Files(inner), store=store)
    with request_of(BOB.principal):
        made = await guarded.create_attachment(UPLOAD, BOB)
        await store.save_attachment(made, BOB)
        await store.save_attachment(made, BOB)
    assert owner_of(inner._attachments["atc_2"]) == Owner.of(BOB.principal)


async def test_an_attachment_store_that_makes_a_known_id_again_does_not_hand_it_over(
    store: Store, inner: Watched
) -> None:
    class Again(Files):
        async def create_attachment(
            self,
            input: AttachmentCreateParams,  # noqa: A002
            context: RequestContext,
        ) -> Attachment:
            return attachment("atc_1")

    guarded = OwnershipAttachmentStore(Again(inner), store=store)
    with request_of(BOB.principal):
        made = await guarded.create_attachment(UPLOAD, BOB)
        with pytest.raises(NotFoundError):
            await store.save_attachment(made, BOB)
    assert owner_of(inner._attachments["atc_1"]) == Owner.of(ALICE.principal)


async def test_outside_of_a_request_an_unstamped_attachment_stays_nobodys(
    store: Store, inner: Watched
) -> None:
    made = await OwnershipAttachmentStore(Files(inner), store=store).create_attachment(UPLOAD, BOB)
    with pytest.raises(NotFoundError):
        await store.save_attachment(made, BOB)


async def test_who_may_not_create_attachments_makes_none(inner: Watched) -> None:
    store: Store = OwnershipStore(inner, policy=PerAction({"threads:read": OwnerOnly()}))
    with pytest.raises(ForbiddenError):
        await OwnershipAttachmentStore(Files(inner), store=store).create_attachment(UPLOAD, ALICE)
    assert rows_of(inner) == ({}, {}, {})


async def test_ids_are_those_of_the_inner_attachment_store(store: Store, inner: Watched) -> None:
    guarded = OwnershipAttachmentStore(Files(inner), store=store)
    assert guarded.generate_attachment_id("text/plain", ALICE) == "atc_of_text/plain"


# ------------------------------------------------------------------------------------------------ jobs


async def test_a_job_reaches_everything_and_changes_no_owner(store: Store, inner: Watched) -> None:
    await inner.save_thread(thread("thr_old"), None)
    job = of(system_principal("retention"))
    assert {found.id for found in (await store.load_threads(10, None, "asc", job)).data} == {
        "thr_1",
        "thr_old",
    }
    for thread_id in ("thr_1", "thr_old"):
        await store.save_thread((await store.load_thread(thread_id, job)).model_copy(), job)
    assert owner_of(inner._threads["thr_1"]) == Owner.of(ALICE.principal)
    assert owner_of(inner._threads["thr_old"]) is None
    for thread_id in ("thr_1", "thr_old"):
        await store.delete_thread(thread_id, job)
    assert inner._threads == {}


async def test_a_job_adopts_nothing(old: Watched) -> None:
    async def everybody(*_: object) -> bool:
        return True

    store: Store = OwnershipStore(old, unowned="adopt", owns=everybody)
    await store.load_thread("thr_1", of(system_principal("export")))
    assert owner_of(old._threads["thr_1"]) is None


async def test_a_policy_that_fails_is_not_asked_about_every_row_of_a_list(
    inner: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        await inner.save_thread(stamped(thread(f"thr_{number}"), Owner.of(ALICE.principal)), None)

    class Down:
        async def allows(self, *_: object) -> bool:
            raise TimeoutError

    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    store: Store = OwnershipStore(inner, policy=Down())
    with pytest.raises(ForbiddenError):
        await store.load_threads(10, None, "asc", ALICE)
    assert [record.name for record in caplog.records] == ["chatkit_prod", "chatkit_prod.audit"]


async def test_what_a_request_has_made_another_user_may_not_undo(store: Store) -> None:
    with request_of(ALICE.principal):
        await store.save_thread(thread("thr_2"), ALICE)
        await store.load_thread("thr_2", ALICE)
        with pytest.raises(NotFoundError):
            await store.delete_thread("thr_2", BOB)
        await store.delete_thread("thr_2", ALICE)


# ------------------------------------------------------------------------------------------------ construction


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unowned": ({"unowned": "allow"}, "unowned"),
    "adopt without a hook": ({"unowned": "adopt"}, "owns"),
    "a hook without adopt": ({"owns": owns}, "owns"),
    "a class for a policy": ({"policy": OwnerOnly}, "policy"),
    "no policy": ({"policy": None}, "policy"),
    "principal": ({"principal": ALICE.principal}, "function of the context"),
}


@pytest.mark.parametrize(("options", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        OwnershipStore(MemoryStore(), **options)


def test_only_a_store_can_be_guarded_and_only_once() -> None:
    make: Any = OwnershipStore
    guarded: Store = OwnershipStore(MemoryStore())
    for inner in ("store", None, MemoryStore, guarded, DelegatingStore(guarded)):
        with pytest.raises(ConfigurationError, match=r"inner (must be a Store|is guarded already)"):
            make(inner)


def test_only_an_attachment_store_can_be_guarded_and_only_once() -> None:
    make: Any = OwnershipAttachmentStore
    store: Store = OwnershipStore(MemoryStore())
    files = Files(MemoryStore())
    for inner in (None, MemoryStore(), OwnershipAttachmentStore(files, store=store)):
        with pytest.raises(
            ConfigurationError, match=r"inner (must be an AttachmentStore|is guarded already)"
        ):
            make(inner, store=store)
    with pytest.raises(ConfigurationError, match="store must be an OwnershipStore, not a MemoryStore"):
        make(files, store=MemoryStore())


def test_a_guarded_store_is_found_behind_wrappers() -> None:
    guarded: Store = OwnershipStore(MemoryStore())
    assert guarded_store(DelegatingStore(DelegatingStore(guarded))) is guarded
    assert guarded_store(DelegatingStore(MemoryStore())) is None


async def test_a_context_of_the_apps_own_is_mapped_to_a_principal() -> None:
    store: OwnershipStore[dict[str, str]] = OwnershipStore(
        MemoryStore(), principal=lambda context: principal(context["user"])
    )
    await store.save_thread(thread(), {"user": "alice"})
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_1", {"user": "bob"})


async def test_a_stamp_made_by_a_migration_is_as_good_as_ours(inner: Watched, store: Store) -> None:
    await inner.save_thread(stamped(thread("thr_old"), Owner.of(BOB.principal)), None)
    assert (await store.load_thread("thr_old", BOB)).id == "thr_old"
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_old", ALICE)


def test_the_policy_of_a_store_can_be_asked_for(inner: Watched) -> None:
    policy: AccessPolicy = SameTenant()
    assert OwnershipStore(inner, policy=policy).guard.policy is policy


# ------------------------------------------------------------------------------------------------ ids used again


async def test_what_a_request_knows_of_a_deleted_thread_says_nothing_of_its_successor(
    store: Store, inner: Watched
) -> None:
    with request_of(ALICE.principal):
        await store.load_thread("thr_1", ALICE)
        with request_of(BOB.principal):  # the other tab of Alice, and then Bob
            await store.delete_thread("thr_1", ALICE)
            await store.save_thread(thread(title="his"), BOB)
        before = rows_of(inner)
        for attempt in (
            store.load_thread_items("thr_1", None, 10, "asc", ALICE),
            store.add_thread_item("thr_1", message(), ALICE),
            store.save_thread(thread(title="stolen"), ALICE),
            store.delete_thread("thr_1", ALICE),
        ):
            with pytest.raises(NotFoundError):
                await attempt
        assert rows_of(inner) == before


async def test_what_a_request_has_made_is_no_longer_its_own_once_it_is_deleted(store: Store) -> None:
    with request_of(ALICE.principal):
        await store.save_thread(thread("thr_2"), ALICE)
        with request_of(BOB.principal):
            await store.delete_thread("thr_2", ALICE)
            await store.save_thread(thread("thr_2"), BOB)
        with pytest.raises(NotFoundError):
            await store.delete_thread("thr_2", ALICE)
    assert await store.load_thread("thr_2", BOB) == thread("thr_2")


async def test_an_attachment_whose_id_is_used_again_is_looked_up_again(store: Store, inner: Watched) -> None:
    guarded = OwnershipAttachmentStore(Files(inner), store=store)
    with request_of(ALICE.principal):
        await store.require_attachment("atc_1", "attachments:delete", ALICE)
        with request_of(BOB.principal):
            await store.delete_attachment("atc_1", ALICE)
            await store.save_attachment(attachment(), BOB)
        with pytest.raises(NotFoundError):
            await guarded.delete_attachment("atc_1", ALICE)


async def test_a_deleted_item_is_looked_up_again(store: Store) -> None:
    with request_of(ALICE.principal):
        await store.load_item("thr_1", "msg_1", ALICE)
        await store.delete_thread_item("thr_1", "msg_1", ALICE)
        with pytest.raises(NotFoundError):
            await store.require_item("thr_1", "msg_1", "feedback", ALICE)


# ------------------------------------------------------------------------------------------------ finer points


async def test_a_yes_holds_for_the_same_claims_only(inner: Watched) -> None:
    await inner.save_thread(stamped(thread(), Owner.of(ALICE.principal)), None)
    store: Store = OwnershipStore(inner, policy=HasRole("support"))
    support = of(principal("bob", claims={"roles": ["support"]}))
    with request_of(BOB.principal):
        await store.require_thread("thr_1", "threads:read", support)
        await store.require_thread(
            "thr_1", "threads:read", of(principal("bob", claims={"roles": ["support"]}))
        )
        with pytest.raises(NotFoundError):
            await store.require_thread("thr_1", "threads:read", BOB)


async def test_a_yes_is_asked_for_again_when_the_thread_has_been_saved(inner: Watched) -> None:
    answers = iter([True, True, False])

    class Fickle:
        async def allows(self, *_: object) -> bool:
            return next(answers)

    store: Store = OwnershipStore(inner, policy=Fickle())
    await inner.save_thread(stamped(thread(), Owner.of(ALICE.principal)), None)
    with request_of(ALICE.principal):
        await store.save_thread(thread(), ALICE)
        await store.save_thread(thread(), ALICE)
        with pytest.raises(NotFoundError):
            await store.save_thread(thread(), ALICE)


async def test_only_what_was_made_is_claimed_and_only_once(store: Store, inner: Watched) -> None:
    guarded = OwnershipAttachmentStore(Files(inner), store=store)
    await inner.save_attachment(attachment("atc_2", metadata={"user": "somebody"}), None)
    with request_of(BOB.principal):
        store.let_claim_attachment(attachment("atc_2"))
        with pytest.raises(NotFoundError):
            await store.save_attachment(attachment("atc_2"), BOB)
    with request_of(BOB.principal):
        made = await guarded.create_attachment(UPLOAD, BOB)
        await store.save_attachment(made, BOB)
        await inner.save_attachment(made, None)  # as if somebody had taken the stamp away
    with request_of(EVE.principal), pytest.raises(NotFoundError):
        await store.save_attachment(made, EVE)


async def test_a_job_leaves_a_stamp_that_it_cannot_read(inner: Watched) -> None:
    await inner.save_thread(thread(metadata={OWNER_KEY: "gibberish"}), None)
    job = of(system_principal("rename"))
    store: Store = OwnershipStore(inner)
    await store.save_thread((await store.load_thread("thr_1", job)).model_copy(update={"title": "new"}), job)
    assert (inner._threads["thr_1"].title, inner._threads["thr_1"].metadata) == (
        "new",
        {OWNER_KEY: "gibberish"},
    )


async def test_two_who_are_both_named_wait_for_each_other() -> None:
    class Slow(MemoryStore):
        async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
            found = await super().load_thread(thread_id, context)
            await asyncio.sleep(0)
            return found

        async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
            await asyncio.sleep(0)
            await super().save_thread(thread, context)

    async def everybody(*_: object) -> bool:
        return True

    inner = Slow()
    await inner.save_thread(thread(), None)
    store: Store = OwnershipStore(inner, unowned="adopt", owns=everybody)
    loads = await asyncio.gather(
        *(store.load_thread("thr_1", who) for who in (ALICE, BOB)), return_exceptions=True
    )
    assert [type(found) for found in loads].count(NotFoundError) == 1


async def test_a_row_that_goes_while_it_is_adopted_is_left_out_of_the_list(old: Watched) -> None:
    async def going(row: ThreadMetadata | Attachment, *_: object) -> bool:
        await old.delete_thread(row.id, None)
        return True

    store: Store = OwnershipStore(old, unowned="adopt", owns=going)
    assert (await store.load_threads(10, None, "asc", ALICE)).data == []


@pytest.mark.parametrize("is_async", [True, False], ids=["fails", "is not async"])
async def test_a_hook_that_fails_is_not_asked_about_every_row_of_a_list(
    inner: Watched, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    async def failing(*_: object) -> bool:
        raise KeyError

    def sync(*_: object) -> bool:
        return True

    hook: Any = failing if is_async else sync
    for number in range(5):
        await inner.save_thread(thread(f"thr_{number}"), None)
    store: Store = OwnershipStore(inner, unowned="adopt", owns=hook)
    with pytest.raises(ForbiddenError):
        await store.load_threads(10, None, "asc", ALICE)
    assert len(caplog.records) == 1
    assert ("owns must be async" in caplog.text) is not is_async


async def test_the_cursor_of_a_page_with_strays_is_ones_own(careless: Store) -> None:
    inner: Any = careless.inner

    async def more(*_: object) -> Page[ThreadItem]:
        mixed: list[ThreadItem] = [message("msg_2", "thr_2"), message("msg_1", "thr_1")]
        return Page(data=mixed, has_more=True, after="msg_1")

    inner.load_thread_items = more
    page = await careless.load_thread_items("thr_2", None, 2, "asc", BOB)
    assert ([item.id for item in page.data], page.has_more, page.after) == (["msg_2"], True, "msg_2")


async def test_refusals_without_a_policy_are_recorded_and_what_was_never_stored_is_none(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    await store.delete_thread_item("thr_1", "msg_absent", ALICE)
    await store.save_thread(thread(status=LockedStatus()), ALICE)
    with pytest.raises(CustomStreamError):
        await store.add_thread_item("thr_1", question("msg_2"), ALICE)
    (record,) = caplog.records
    found = vars(record)["chatkit"]
    assert (found["reason"], found["resource_id"], found["user_id"]) == ("locked", "thr_1", "alice")


async def test_with_a_key_a_cursor_holds_in_every_process(
    inner: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_prod.access.pages.MAX_INNER_PAGES", 1)
    for number in range(3):
        whose = BOB if number < 2 else ALICE
        row = thread(f"thr_{number}", created_at=NOW + timedelta(seconds=number))
        await inner.save_thread(stamped(row, Owner.of(whose.principal)), None)
    key = Fernet.generate_key()
    first, second, other = (OwnershipStore[RequestContext](inner, cursor_key=k) for k in (key, key, None))
    page = await first.load_threads(1, None, "asc", ALICE)
    assert (page.data, page.has_more) == ([], True)
    assert [found.id for found in (await second.load_threads(1, page.after, "asc", ALICE)).data] == ["thr_2"]
    with pytest.raises(NotFoundError):
        await other.load_threads(1, page.after, "asc", ALICE)


async def test_what_a_request_has_made_it_may_undo_after_it_has_looked_at_it(inner: Watched) -> None:
    makers: Store = OwnershipStore(
        inner, policy=PerAction({"threads:create": OwnerOnly(), "threads:read": OwnerOnly()})
    )
    with request_of(ALICE.principal):
        await makers.save_thread(thread(), ALICE)
        await makers.load_thread("thr_1", ALICE)
        await makers.delete_thread("thr_1", ALICE)
    assert rows_of(inner)[0] == {}


async def test_what_a_tool_has_asked_about_is_loaded_as_it_is_then(store: Store, inner: Watched) -> None:
    with request_of(ALICE.principal):
        await store.require_thread("thr_1", "threads:read", ALICE)
        await store.require_item("thr_1", "msg_1", "threads:read", ALICE)
        await store.require_attachment("atc_1", "attachments:read", ALICE)
        owner = Owner.of(ALICE.principal)
        await inner.save_thread(stamped(thread(title="new"), owner), None)
        await inner.save_item("thr_1", message(text="new"), None)
        await inner.save_attachment(stamped(attachment(name="new"), owner), None)
        assert (await store.load_thread("thr_1", ALICE)).title == "new"
        assert await store.load_item("thr_1", "msg_1", ALICE) == message(text="new")
        assert (await store.load_attachment("atc_1", ALICE)).name == "new"


async def test_a_page_does_not_lose_what_was_kept_for_the_next_load(store: Store, inner: Watched) -> None:
    with request_of(ALICE.principal):
        await look_up(store)
        await store.load_thread_items("thr_1", None, 10, "asc", ALICE)
        inner.calls.clear()
        await store.load_item("thr_1", "msg_1", ALICE)
    assert inner.calls == []
