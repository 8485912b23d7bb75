"""Behind the store nothing is clear; in front of it everything is as it was."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any, cast, get_args

import pytest
from chatkit.store import NotFoundError
from chatkit.types import HiddenContextItem, LockedStatus, ThreadItem, ThreadMetadata

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OWNER_KEY, Owner, OwnershipStore, stamped
from chatkit_prod.encryption import EncryptedStore, LocalKeyring, UnsealError
from chatkit_prod.encryption.carrier import KEY, SEALED
from chatkit_prod.encryption.opening import Complaints
from chatkit_prod.state import RequestState
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from tests.encryption.keyrings import Service, key
from tests.encryption.rows import MARK, file, image, item, items, thread
from tests.servers import http_scope

pytestmark = pytest.mark.anyio


class Counting(DelegatingStore[Any]):
    """Counts how often a thread is loaded."""

    loads = 0

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        self.loads += 1
        return await super().load_thread(thread_id, context)


def encrypted(inner: Any, **options: Any) -> EncryptedStore[Any]:
    make: Any = EncryptedStore
    return cast("EncryptedStore[Any]", make(inner, **{"keyring": LocalKeyring.generate(), **options}))


@contextmanager
def a_request() -> Generator[None]:
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        yield


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def store(inner: MemoryStore) -> EncryptedStore[Any]:
    """Return a store with one thread that has an item of each type, and two attachments."""
    store = encrypted(inner)
    await store.save_thread(thread(), None)
    for each in items():
        await store.add_thread_item("thr_1", each, None)
    for attachment in (file(), image()):
        await store.save_attachment(attachment, None)
    return store


def stored(inner: MemoryStore) -> str:
    rows = [*inner._threads.values(), *inner._attachments.values()]
    held: list[Any] = [*rows, *(row for found in inner._items.values() for row in found.values())]
    return "".join(row.model_dump_json() for row in held)


async def page(store: Any, limit: int = 20, after: str | None = None, order: str = "asc") -> list[ThreadItem]:
    found: list[ThreadItem] = (await store.load_thread_items("thr_1", after, limit, order, None)).data
    return found


# ------------------------------------------------------------------------------------------------ what is stored


async def test_nothing_that_anybody_wrote_is_stored_clear(store: Any, inner: MemoryStore) -> None:
    assert MARK not in stored(inner)


async def test_every_type_of_row_comes_back_whole(store: Any) -> None:
    assert await page(store) == items()
    assert await store.load_thread("thr_1", None) == thread()
    assert (await store.load_threads(9, None, "asc", None)).data == [thread()]
    assert await store.load_attachment("atc_1", None) == file()
    assert await store.load_attachment("atc_2", None) == image()


@pytest.mark.parametrize("metadata", [None, {}, {"a": 1}, {"chatkit_prod.hold": 1}], ids=repr)
async def test_the_metadata_of_an_attachment_comes_back_as_it_was(store: Any, metadata: Any) -> None:
    await store.save_attachment(file(metadata=metadata), None)
    assert (await store.load_attachment("atc_1", None)).metadata == metadata


async def test_ids_times_and_the_type_of_the_status_stay_clear(store: Any, inner: MemoryStore) -> None:
    row = await inner.load_thread("thr_1", None)
    assert (row.id, row.created_at, row.status) == ("thr_1", thread().created_at, LockedStatus())
    assert set(row.metadata) == {KEY, SEALED}
    for carrier, clear in zip(await page(inner), items(), strict=True):
        assert isinstance(carrier, HiddenContextItem)
        assert (carrier.id, carrier.created_at) == (clear.id, clear.created_at)
    attachment = await inner.load_attachment("atc_2", None)
    assert (attachment.type, attachment.mime_type, attachment.name) == ("image", "image/png", "sealed")


async def test_the_stamp_of_the_owner_stays_clear(inner: MemoryStore) -> None:
    alice = RequestContext(principal=Principal(issuer="desk", subject="alice"))
    store = OwnershipStore(encrypted(inner))
    await store.save_thread(thread(), alice)
    await store.save_attachment(file(), alice)
    for row in (inner._threads["thr_1"], inner._attachments["atc_1"]):
        assert (row.metadata or {})[OWNER_KEY] == str(Owner(issuer="desk", subject="alice"))
    assert await store.load_thread("thr_1", alice) == thread()
    assert await store.load_attachment("atc_1", alice) == file()
    assert MARK not in stored(inner)


async def test_what_the_app_holds_does_not_change(inner: MemoryStore) -> None:
    store, one, other, third = encrypted(inner), thread(), item(), file()
    await store.save_thread(one, None)
    await store.add_thread_item("thr_1", other, None)
    await store.save_attachment(third, None)
    assert (one, other, third) == (thread(), item(), file())


async def test_reserved_keys_of_ours_cannot_be_brought_along(inner: MemoryStore) -> None:
    store = encrypted(inner)
    await store.save_thread(thread(metadata={SEALED: "x", KEY: "y", "a": 1}), None)
    assert (await store.load_thread("thr_1", None)).metadata == {"a": 1}


async def test_hidden_context_that_looks_sealed_is_sealed_like_any(store: Any, inner: MemoryStore) -> None:
    carrier = inner._items["thr_1"]["itm_1"]
    copy = carrier.model_copy(update={"id": "itm_99"})
    await store.add_thread_item("thr_1", copy, None)
    assert await store.load_item("thr_1", "itm_99", None) == copy


async def test_a_database_may_keep_times_less_precisely(store: Any, inner: MemoryStore) -> None:
    for row in (inner._threads["thr_1"], inner._items["thr_1"]["itm_1"]):
        row.created_at = row.created_at.replace(microsecond=0, tzinfo=UTC)
    assert await store.load_thread("thr_1", None) == thread()
    assert await store.load_item("thr_1", "itm_1", None) == item()


# ------------------------------------------------------------------------------------------------ its data key


async def test_within_a_request_the_key_of_a_thread_is_asked_for_once(inner: MemoryStore) -> None:
    counting = Counting(inner)
    store = encrypted(counting)
    await store.save_thread(thread(), None)
    counting.loads = 0
    with a_request():
        await store.load_thread("thr_1", None)
        for each in items():
            await store.add_thread_item("thr_1", each, None)
        assert await page(store) == items()
        await store.save_thread(thread(title="new"), None)
    assert counting.loads == 1
    assert await page(store) == items()
    assert counting.loads == 2


async def test_a_thread_that_is_made_again_elsewhere_has_another_key(inner: MemoryStore) -> None:
    keyring = LocalKeyring.generate()
    here, elsewhere = (encrypted(inner, keyring=keyring) for _ in range(2))
    await here.save_thread(thread(), None)
    await elsewhere.delete_thread("thr_1", None)
    await elsewhere.save_thread(thread(), None)
    await here.add_thread_item("thr_1", item(), None)
    assert await page(elsewhere) == [item()]


async def test_of_two_processes_that_make_one_thread_the_last_one_counts(inner: MemoryStore) -> None:
    keyring = LocalKeyring.generate()
    other = encrypted(inner, keyring=keyring)

    class Late(DelegatingStore[Any]):
        async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
            await super().save_thread(thread, context)
            row = inner._threads.pop(thread.id)
            await other.save_thread(row.model_copy(update={"metadata": {}}), context)

    here = encrypted(Late(inner), keyring=keyring)
    with a_request():
        await here.save_thread(thread(), None)
        await here.add_thread_item("thr_1", item(), None)
    assert await page(other) == [item()]


async def test_a_list_of_threads_asks_the_key_service_once_for_each(inner: MemoryStore) -> None:
    service = Service({"a": key()})
    writer = encrypted(inner, keyring=service)
    for number in range(5):
        await writer.save_thread(thread(f"thr_{number}"), None)
    reader = encrypted(inner, keyring=service)
    for _ in range(2):
        assert len((await reader.load_threads(9, None, "asc", None)).data) == 5
    assert service.unwraps == 5


async def test_without_its_key_a_deleted_thread_is_gone_for_good(store: Any, inner: MemoryStore) -> None:
    copies = [each.model_copy() for each in inner._items["thr_1"].values()]
    await store.delete_thread("thr_1", None)
    await store.save_thread(thread(), None)
    for copy in copies:
        await inner.save_item("thr_1", copy, None)
    assert await page(store) == []


async def test_if_the_key_service_is_down_nothing_is_left_out_and_nothing_stored(inner: MemoryStore) -> None:
    service = Service({"a": key()})
    await encrypted(inner, keyring=service).save_thread(thread(), None)
    service.is_down = True
    store = encrypted(inner, keyring=service)
    before = stored(inner)
    for call in (
        store.load_threads(9, None, "asc", None),
        store.load_thread("thr_1", None),
        store.add_thread_item("thr_1", item(), None),
        store.save_thread(thread("thr_2"), None),
        store.save_attachment(file(), None),
    ):
        with pytest.raises(ConnectionError):
            await call
    assert stored(inner) == before


async def test_a_saved_thread_gets_the_current_key(inner: MemoryStore) -> None:
    new, old = key(), key()
    await encrypted(inner, keyring=LocalKeyring({"old": old})).save_thread(thread(), None)
    both = encrypted(inner, keyring=LocalKeyring({"new": new, "old": old}))
    await both.add_thread_item("thr_1", item(), None)
    await both.save_thread(thread(title="new"), None)
    assert inner._threads["thr_1"].metadata[KEY]["id"] == "new"
    assert await page(encrypted(inner, keyring=LocalKeyring({"new": new}))) == [item()]


# ------------------------------------------------------------------------------------------------ rows from before


async def test_plain_rows_are_refused(inner: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    store = encrypted(inner)
    await inner.save_thread(thread(), None)
    await inner.save_attachment(file(), None)
    assert (await store.load_threads(9, None, "asc", None)).data == []
    for call in (
        store.load_thread("thr_1", None),
        store.load_attachment("atc_1", None),
        store.save_thread(thread(), None),
        store.add_thread_item("thr_1", item(), None),
    ):
        with pytest.raises(UnsealError, match="not sealed"):
            await call
    assert len(caplog.records) == 2
    assert MARK not in caplog.text


async def test_a_planted_item_is_left_out(store: Any, inner: MemoryStore) -> None:
    await inner.save_item("thr_1", item(mark="planted"), None)
    assert await page(store) == [*items()[:1], *items()[2:]]
    with pytest.raises(UnsealError, match="not sealed"):
        await store.load_item("thr_1", "itm_1", None)


async def test_plain_rows_are_read_if_that_is_wanted_and_sealed_when_they_are_written(
    inner: MemoryStore,
) -> None:
    store = encrypted(inner, plain_rows="read")
    await inner.save_thread(thread(), None)
    await inner.save_attachment(file(), None)
    for each in items()[:3]:
        await inner.add_thread_item("thr_1", each, None)
    for each in items()[3:]:
        await store.add_thread_item("thr_1", each, None)
    assert await page(store) == items()
    assert await store.load_item("thr_1", "itm_0", None) == items()[0]
    assert await store.load_attachment("atc_1", None) == file()
    for each in items():
        await store.save_item("thr_1", each, None)
    await store.save_attachment(file(), None)
    await store.save_thread(await store.load_thread("thr_1", None), None)
    assert MARK not in stored(inner)
    assert await page(store) == items()
    assert await page(EncryptedStore(inner, keyring=store._keys._keyring)) == items()


async def test_an_owner_may_be_found_for_a_plain_thread_with_sealed_items(inner: MemoryStore) -> None:
    store = encrypted(inner, plain_rows="read")
    await inner.save_thread(thread(), None)
    await store.add_thread_item("thr_1", item(), None)
    owned = stamped(await store.load_thread("thr_1", None), Owner(issuer="desk", subject="alice"))
    await store.save_thread(owned, None)
    assert await page(store) == [item()]


# ------------------------------------------------------------------------------------------------ broken rows


def break_item(inner: MemoryStore, item_id: str) -> None:
    carrier: Any = inner._items["thr_1"][item_id]
    carrier.content[SEALED] = carrier.content[SEALED][:-1] + "!"


async def test_a_broken_item_does_not_take_the_page_with_it(
    store: Any, inner: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    break_item(inner, "itm_4")
    for _ in range(3):
        assert await page(store) == [*items()[:4], *items()[5:]]
        with pytest.raises(UnsealError):
            await store.load_item("thr_1", "itm_4", None)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        'a stored row cannot be opened: kind="item" id="itm_4" thread_id="thr_1" reason="no base64"'
    )


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 3, 11])
@pytest.mark.parametrize("broken", [{0}, {1}, {10}, {0, 1, 2, 3}, {4, 5, 6, 8}, set(range(11))], ids=str)
async def test_whatever_is_broken_the_other_items_are_all_there(
    store: Any, inner: MemoryStore, broken: set[int], size: int, order: str
) -> None:
    for number in broken:
        break_item(inner, f"itm_{number}")
    found, after, more = list[ThreadItem](), None, True
    while more:
        read = await store.load_thread_items("thr_1", after, size, order, None)
        found += read.data
        after, more = read.after, read.has_more
        assert not more or after == read.data[-1].id
    rest = [each for number, each in enumerate(items()) if number not in broken]
    assert found == (rest if order == "asc" else rest[::-1])


async def test_of_a_broken_thread_there_are_no_items_and_it_is_never_replaced(
    store: Any, inner: MemoryStore
) -> None:
    row = inner._threads["thr_1"]
    row.metadata[KEY]["id"] = "absent"
    before = stored(inner)
    for call in (
        store.load_thread_items("thr_1", None, 9, "asc", None),
        store.load_item("thr_1", "itm_1", None),
        store.add_thread_item("thr_1", item(), None),
        store.save_thread(thread(), None),
    ):
        with pytest.raises(UnsealError):
            await call
    assert stored(inner) == before
    await store.delete_thread_item("thr_1", "itm_1", None)
    await store.delete_thread("thr_1", None)
    with pytest.raises(NotFoundError):
        await store.load_thread("thr_1", None)


async def test_a_row_under_a_lost_key_names_the_key(
    store: Any, inner: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    other = encrypted(inner)
    with pytest.raises(UnsealError) as caught:
        await other.load_thread("thr_1", None)
    assert caught.value.status == 500
    assert f'key_id="{store._keys._keyring.key_id}"' in caplog.text
    with pytest.raises(UnsealError):
        await other.load_attachment("atc_1", None)
    await other.delete_attachment("atc_1", None)
    assert (await other.load_threads(9, None, "asc", None)).data == []


async def test_an_item_without_a_thread_key_is_not_read(inner: MemoryStore) -> None:
    store = encrypted(inner, plain_rows="read")
    await inner.save_thread(thread(), None)
    sealed = HiddenContextItem(
        id="itm_1", thread_id="thr_1", created_at=thread().created_at, content={SEALED: "1.AAAA"}
    )
    await inner.add_thread_item("thr_1", sealed, None)
    assert await page(store) == []


async def test_an_item_of_a_later_release_is_an_error_of_ours(store: Any, inner: MemoryStore) -> None:
    known: Any = await store._thread_key("thr_1", None)
    odd = items()[-1].model_copy(update={"type": "of tomorrow"})
    from chatkit_prod.encryption import carrier  # noqa: PLC0415 - the adapter is replaced for once

    class Adapter:
        def dump_json(self, row: Any) -> bytes:
            return cast("bytes", row.model_dump_json(warnings=False).encode())

    original, carrier._ITEM = carrier._ITEM, Adapter()  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    try:
        sealed = carrier.seal_item(odd, "thr_1", known)
    finally:
        carrier._ITEM = original
    await inner.add_thread_item("thr_1", sealed, None)
    with pytest.raises(UnsealError, match="type"):
        await store.load_item("thr_1", odd.id, None)


def test_records_are_remembered_within_bounds(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for number in range(1002):
        complaints.record(UnsealError("x"), "item", str(number), "thr_1")
    complaints.record(UnsealError("x"), "item", "1001", "thr_1")
    assert len(caplog.records) == 1002
    assert len(complaints._written) == 1000


# ------------------------------------------------------------------------------------------------ options


async def test_a_lock_of_the_apps_own_is_held_for_every_write(inner: MemoryStore) -> None:
    held: list[str] = []

    @contextmanager
    def _noted(name: str) -> Generator[None]:
        held.append(name)
        yield

    class Lock:
        def __init__(self, name: str) -> None:
            self._noted = _noted(name)

        async def __aenter__(self) -> None:
            self._noted.__enter__()

        async def __aexit__(self, *error: object) -> None:
            self._noted.__exit__(None, None, None)

    store = encrypted(inner, lock=Lock)
    await store.save_thread(thread(), None)
    await store.save_item("thr_1", item(), None)
    await store.delete_thread_item("thr_1", "itm_1", None)
    await store.delete_thread("thr_1", None)
    await store.save_attachment(file(), None)
    await store.delete_attachment("atc_1", None)
    assert held == ["thr_1"] * 4 + ["atc_1"] * 2


@pytest.mark.parametrize(
    "options",
    [
        {"keyring": None},
        {"keyring": LocalKeyring},
        {"plain_rows": True},
        {"lock": 1},
        {"cached_keys": 0},
        {"cached_keys": True},
        {"cache_seconds": 0},
    ],
    ids=str,
)
def test_wrong_options_are_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        encrypted(MemoryStore(), **options)


def test_a_wrong_inner_store_is_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="inner must be"):
        encrypted(None)
    with pytest.raises(ConfigurationError, match="encrypted already"):
        encrypted(DelegatingStore(encrypted(MemoryStore())))
    with pytest.raises(ConfigurationError, match="inner is guarded"):
        encrypted(DelegatingStore(OwnershipStore[Any](MemoryStore())))


async def test_times_are_bound(store: Any, inner: MemoryStore) -> None:
    inner._items["thr_1"]["itm_1"].created_at += timedelta(seconds=2)
    inner._threads["thr_1"].created_at -= timedelta(seconds=2)
    with a_request():
        assert (await store.load_threads(9, None, "asc", None)).data == []
    with pytest.raises(UnsealError, match="time"):
        await store.load_thread("thr_1", None)
    inner._threads["thr_1"].created_at += timedelta(seconds=2)
    with pytest.raises(UnsealError, match="time"):
        await store.load_item("thr_1", "itm_1", None)


def test_the_rows_of_these_tests_are_of_every_type() -> None:
    union, _ = get_args(ThreadItem)
    assert {type(each) for each in items()} == set(get_args(union))
