"""What expired is like what is absent, from the moment it expires and in every method."""

from datetime import datetime
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import ClosedStatus, Page, ThreadMetadata

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OwnershipStore
from chatkit_prod.retention import HOLD_KEY, RetentionPolicy, RetentionStore, hold, sweep
from chatkit_prod.retention.pages import MAX_INNER_PAGES, SCANNED_ROWS
from chatkit_prod.testing import MemoryStore
from tests.retention.world import DAY, NOW, Clock, a_message, a_thread, an_attachment, ids, put

pytestmark = pytest.mark.anyio

POLICY = RetentionPolicy(max_age=30 * DAY)

CALLS: dict[str, tuple[Any, ...]] = {
    "load_thread": ("thr", None),
    "save_thread": (a_thread("thr"), None),
    "delete_thread": ("thr", None),
    "load_thread_items": ("thr", None, 10, "asc", None),
    "load_item": ("thr", "msg_1", None),
    "add_thread_item": ("thr", a_message("thr", item_id="msg_2"), None),
    "save_item": ("thr", a_message("thr"), None),
    "delete_thread_item": ("thr", "msg_1", None),
    "load_attachment": ("atc", None),
    "save_attachment": (an_attachment("atc", "thr"), None),
    "delete_attachment": ("atc", None),
}


async def world(*, days: float = 30) -> tuple[MemoryStore, RetentionStore[Any], Clock]:
    """Return a store with one thread of an age, and what hides it."""
    inner, clock = MemoryStore(), Clock()
    await put(inner, None, a_thread("thr", days=days), "atc")
    return inner, RetentionStore(inner, policy=POLICY, clock=clock), clock


def stored(store: MemoryStore) -> Any:
    return (store._threads, store._items, store._attachments)


@pytest.mark.parametrize("name", CALLS)
async def test_what_expired_is_not_found_and_not_changed(name: str) -> None:
    inner, store, _ = await world()
    untouched, _, _ = await world()
    with pytest.raises(NotFoundError) as raised:
        await getattr(store, name)(*CALLS[name])
    assert str(raised.value) == ""
    assert stored(inner) == stored(untouched)


@pytest.mark.parametrize("name", CALLS)
async def test_until_then_it_is_there(name: str) -> None:
    _, store, clock = await world(days=0)
    clock.now = NOW + 30 * DAY - DAY / 86400
    await getattr(store, name)(*CALLS[name])


async def test_every_method_that_names_a_row_is_under_test() -> None:
    free = {"generate_thread_id", "generate_item_id", "load_threads"}
    methods = {name for name in vars(RetentionStore) if not name.startswith("_")}
    assert methods - free == CALLS.keys()


async def test_it_expires_at_that_moment_and_not_before() -> None:
    _, store, clock = await world(days=0)
    clock.now = NOW + 30 * DAY
    with pytest.raises(NotFoundError):
        await store.load_thread("thr", None)
    assert await ids(store) == []


@pytest.mark.parametrize("name", ["load_thread", "load_thread_items", "load_item", "load_attachment"])
async def test_what_expires_while_the_database_is_slow_is_not_served(name: str) -> None:
    inner, _, clock = await world(days=0)

    class Slow(MemoryStore):
        def __getattribute__(self, called: str) -> Any:
            if called == name:
                clock.now = NOW + 40 * DAY
            return getattr(inner, called)

    slow: RetentionStore[Any] = RetentionStore(Slow(), policy=POLICY, clock=clock)
    with pytest.raises(NotFoundError):
        await getattr(slow, name)(*CALLS[name])


async def test_an_id_that_expired_cannot_be_brought_back_to_life() -> None:
    _, store, _ = await world()
    with pytest.raises(NotFoundError):
        await store.save_thread(a_thread("thr"), None)
    with pytest.raises(NotFoundError):
        await store.save_attachment(an_attachment("atc", None), None)
    with pytest.raises(NotFoundError):
        await store.save_attachment(an_attachment("new", "thr"), None)


async def test_an_attachment_of_no_thread_or_of_one_that_its_user_deleted_is_left_alone() -> None:
    inner, store, _ = await world()
    await inner.save_attachment(an_attachment("loose", None), None)
    await inner.save_attachment(an_attachment("left", "thr_gone"), None)
    assert (await store.load_attachment("loose", None)).id == "loose"
    assert (await store.load_attachment("left", None)).id == "left"
    with pytest.raises(NotFoundError):
        await store.delete_attachment("absent", None)


async def test_a_thread_that_is_closed_expires_earlier_at_once() -> None:
    inner, clock = MemoryStore(), Clock()
    policy = RetentionPolicy(max_age=30 * DAY, by_status={"closed": DAY})
    store = RetentionStore[Any](inner, policy=policy, clock=clock)
    await inner.save_thread(a_thread("thr", days=2), None)
    thread = await store.load_thread("thr", None)
    thread.status = ClosedStatus()
    await store.save_thread(thread, None)
    with pytest.raises(NotFoundError):
        await store.load_thread("thr", None)


# --------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_pages_are_full_and_hold_what_is_live_and_nothing_else(order: str, size: int) -> None:
    inner, clock = MemoryStore(), Clock()
    policy = RetentionPolicy(max_age=None, by_status={"closed": DAY})
    store = RetentionStore[Any](inner, policy=policy, clock=clock)
    live = list[str]()
    for number in range(20):
        closed = number % 3 == 1 or number > 15
        thread = a_thread(f"thr_{number}", days=40 - number)
        await inner.save_thread(
            thread.model_copy(update={"status": ClosedStatus()}) if closed else thread, None
        )
        live += [] if closed else [thread.id]
    found, after = list[str](), None
    while True:
        page = await store.load_threads(size, after, order, None)
        found += [thread.id for thread in page.data]
        after = page.after
        if not page.has_more:
            break
        assert len(page.data) == size
        assert after == page.data[-1].id
    assert found == (live if order == "asc" else live[::-1])


async def test_a_cursor_that_expires_between_two_pages_still_tells_where_to_go_on() -> None:
    inner, clock = MemoryStore(), Clock()
    store = RetentionStore[Any](inner, policy=POLICY, clock=clock)
    for number in range(4):
        await inner.save_thread(a_thread(f"thr_{number}", days=29 - number), None)
    page = await store.load_threads(1, None, "asc", None)
    clock.now += 1.5 * DAY
    following = await store.load_threads(10, page.after, "asc", None)
    assert [thread.id for thread in following.data] == ["thr_1", "thr_2", "thr_3"]


class Endless(MemoryStore):
    """Lists expired threads, and one more for every one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        self.sizes.append(limit)
        return Page(data=[a_thread("thr_old", days=99)], has_more=True, after="thr_old")


async def test_a_list_of_what_a_sweep_has_left_is_read_for_so_many_pages_only() -> None:
    inner = Endless()
    page = await RetentionStore[Any](inner, policy=POLICY, clock=Clock()).load_threads(
        10**9, None, "asc", None
    )
    assert (page.data, page.has_more, page.after) == ([], True, "thr_old")
    assert inner.sizes == [1001] + [SCANNED_ROWS] * (MAX_INNER_PAGES - 1)


# -------------------------------------------------------------------------------------------- hook and hold


async def test_a_thread_of_which_nobody_can_tell_is_neither_served_nor_deleted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(thread: ThreadMetadata, owner: Any, moment: datetime | None) -> datetime | None:
        raise RuntimeError(thread.title)

    inner = MemoryStore()
    policy = RetentionPolicy(max_age=DAY, expires_at=broken)
    store = RetentionStore[Any](inner, policy=policy, clock=Clock())
    await inner.save_thread(a_thread("thr", title="secret words"), None)
    with pytest.raises(NotFoundError):
        await store.load_thread("thr", None)
    assert await ids(store) == []
    report = await sweep(inner, policy=policy, context=None, pause=0)
    assert (report.deleted, report.failed) == (0, 1)
    assert await ids(inner) == ["thr"]
    assert "RuntimeError" in caplog.text
    assert "secret words" not in caplog.text


async def test_the_app_does_not_see_a_hold_and_cannot_take_it_away_or_put_one_there() -> None:
    inner, store, _ = await world(days=1)
    await hold(store, "thr", reason="case 1", context=None)
    thread = await store.load_thread("thr", None)
    assert HOLD_KEY not in thread.metadata
    assert HOLD_KEY not in (await store.load_threads(1, None, "asc", None)).data[0].metadata
    thread.metadata = {"own": 1}
    await store.save_thread(thread, None)
    metadata = (await inner.load_thread("thr", None)).metadata
    assert metadata["own"] == 1
    assert metadata[HOLD_KEY]["reason"] == "case 1"
    await store.save_thread(a_thread("new", metadata={HOLD_KEY: {}}), None)
    assert HOLD_KEY not in (await inner.load_thread("new", None)).metadata


async def test_a_held_thread_is_served_beyond_its_age_and_stays_when_its_user_deletes_it() -> None:
    inner, store, clock = await world(days=1)
    await hold(store, "thr", reason="case 1", context=None)
    clock.now += 100 * DAY
    assert (await store.load_item("thr", "msg_1", None)).id == "msg_1"
    await store.delete_thread("thr", None)
    for name, arguments in CALLS.items():
        with pytest.raises(NotFoundError):
            await getattr(store, name)(*arguments)
    assert await ids(store) == []
    assert (await inner.load_item("thr", "msg_1", None)).id == "msg_1"


# ------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("inner", "options", "says"),
    [
        (5, {"policy": POLICY}, "inner must be a Store"),
        (MemoryStore(), {"policy": 30 * DAY}, "policy must be a RetentionPolicy"),
        (MemoryStore(), {"policy": POLICY, "clock": NOW}, "clock must be a function"),
        (
            OwnershipStore[Any](MemoryStore()),
            {"policy": POLICY},
            "a guard takes the owners",
        ),
    ],
)
def test_what_cannot_work_is_refused(inner: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RetentionStore(inner, **options)


async def test_inside_of_a_guard_a_tenants_age_holds_for_its_threads() -> None:
    clock = Clock()
    policy = RetentionPolicy(max_age=30 * DAY, by_tenant={"north": 2 * DAY})
    store = OwnershipStore[RequestContext](RetentionStore(MemoryStore(), policy=policy, clock=clock))
    north, south = (
        RequestContext(principal=Principal(issuer="desk", subject="a", tenant=tenant))
        for tenant in ("north", "south")
    )
    await store.save_thread(a_thread("thr_n", owner=None), north)
    await store.save_thread(a_thread("thr_s", owner=None), south)
    clock.now += 3 * DAY
    assert (await store.load_threads(10, None, "asc", north)).data == []
    assert (await store.load_thread("thr_s", south)).id == "thr_s"
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_n", north)
