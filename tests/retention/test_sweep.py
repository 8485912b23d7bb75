"""A sweep deletes what expired with everything that belongs to it, and nothing else."""

import logging
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import ThreadMetadata

from chatkit_prod import ConfigurationError
from chatkit_prod.access import OwnershipAttachmentStore, OwnershipStore
from chatkit_prod.retention import (
    HOLD_KEY,
    RetentionPolicy,
    RetentionStore,
    SweepReport,
    sweep,
    sweep_batches,
)
from chatkit_prod.retention import walk as walking
from chatkit_prod.retention.beneath import beneath, files_beneath
from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore
from chatkit_prod.testing import MemoryStore
from tests.retention.world import (
    ALICE,
    DAY,
    Clock,
    Files,
    Killable,
    a_message,
    a_thread,
    an_attachment,
    ids,
    put,
)

pytestmark = pytest.mark.anyio

POLICY = RetentionPolicy(max_age=30 * DAY)


def swept(store: Any, files: Any, **options: Any) -> Any:
    values: dict[str, Any] = {
        "policy": POLICY,
        "context": None,
        "attachment_store": files,
        "clock": Clock(),
        "pause": 0,
    }
    return sweep(store, **values | options)


async def test_what_expired_goes_with_its_items_and_attachments_and_their_bytes() -> None:
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("old", days=30), "atc_1", "atc_2")
    await put(store, files, a_thread("new", days=29), "atc_3")
    assert await swept(store, files) == SweepReport(deleted=1, attachments=2, kept=1)
    assert await ids(store) == ["new"]
    assert store._items.keys() == {"new"}
    assert store._attachments.keys() == {"atc_3"}
    assert files.bytes.keys() == {"atc_3"}


async def test_attachments_are_found_on_every_page_of_a_long_thread() -> None:
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("old", days=30))
    for number in range(250):
        files.bytes[f"atc_{number}"] = b""
        await store.add_thread_item("old", a_message("old", f"atc_{number}", item_id=f"m_{number}"), None)
    assert (await swept(store, files)).attachments == 250
    assert files.bytes == {}


async def test_a_dry_run_deletes_nothing_records_nothing_and_reports_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    store, files = MemoryStore(), Files()
    for number in range(7):
        await put(store, files, a_thread(f"thr_{number}", days=20 + 3 * number), f"atc_{number}")
    dry = await swept(store, files, dry_run=True, batch=2)
    assert len(await ids(store)) == len(files.bytes) == 7
    assert caplog.records == []
    real = await swept(store, files, batch=2)
    assert dry.dry_run
    assert not real.dry_run
    assert (
        (dry.deleted, dry.attachments, dry.kept) == (real.deleted, real.attachments, real.kept) == (3, 3, 3)
    )


async def test_one_record_is_left_for_each_thread_and_holds_no_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("old", days=30, title="canary"), "atc", text="canary")
    await swept(store, files)
    (record,) = caplog.records
    fields: Any = vars(record)["chatkit"]
    assert fields.pop("age_days") >= 30
    assert fields == {
        "decision": "deleted",
        "issuer": "desk",
        "user_id": "alice",
        "tenant": "north",
        "resource": "thread",
        "resource_id": "old",
        "attachments": 1,
        "reason": "expired",
    }
    assert "canary" not in caplog.text


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_a_sweep_that_is_left_after_a_batch_goes_on_where_it_was(batch: int) -> None:
    store, files = MemoryStore(), Files()
    for number in range(6):
        await put(store, files, a_thread(f"thr_{number}", days=40 - number))
    batches = sweep_batches(store, policy=POLICY, context=None, clock=Clock(), pause=0.001, batch=batch)
    async for report in batches:
        assert report.deleted == min(batch, 6)
        break
    await batches.aclose()
    assert (await swept(store, files, batch=batch)).deleted == 6 - min(batch, 6)


async def test_what_is_too_young_to_expire_is_not_even_read() -> None:
    store = Killable()
    pages = list[str]()
    store.before_call = pages.append
    for number in range(100):
        await put(store, None, a_thread(f"thr_{number:03}", days=60 - number * 0.6))
    report = await swept(store, None, batch=10)
    assert report.deleted == 51
    assert pages.count("load_threads") == 6


async def test_with_a_hook_everything_is_read() -> None:
    store = MemoryStore()
    for number in range(5):
        await put(store, None, a_thread(f"thr_{number}", title=str(number)))
    policy = RetentionPolicy(
        max_age=30 * DAY,
        expires_at=lambda thread, owner, moment: thread.created_at if thread.title == "4" else moment,
    )
    assert await swept(store, None, policy=policy, batch=1) == SweepReport(deleted=1, kept=4)


# ------------------------------------------------------------------------------------------ at the same time


async def test_a_thread_that_is_held_while_the_batch_is_under_way_stays() -> None:
    class Late(MemoryStore):
        async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
            thread = await super().load_thread(thread_id, context)
            return thread.model_copy(update={"metadata": {HOLD_KEY: {}}})

    store = Late()
    await put(store, None, a_thread("old", days=30))
    assert await swept(store, None) == SweepReport(held=1)
    assert await ids(store) == ["old"]


async def test_a_thread_that_is_gone_meanwhile_is_no_failure() -> None:
    store = Killable()
    for number in range(3):
        await put(store, None, a_thread(f"old_{number}", days=30))

    def somebody_deletes(name: str) -> None:
        if name == "load_thread":
            store._threads.pop("old_1", None)

    store.before_call = somebody_deletes
    assert await swept(store, None) == SweepReport(deleted=2)


async def test_a_cursor_that_somebody_deletes_is_no_end() -> None:
    store = Killable()
    policy = RetentionPolicy(max_age=30 * DAY, by_tenant={"north": None}, expires_at=lambda t, o, m: m)
    for number in range(6):
        owner = None if number % 2 else ALICE
        await put(store, None, a_thread(f"thr_{number}", days=40 - number, owner=owner))
    seen = 0

    def somebody_deletes(name: str) -> None:
        nonlocal seen
        seen += name == "load_threads"
        if seen == 3 and name == "load_threads":
            store._threads.pop("thr_2", None)
            store._threads.pop("thr_0", None)

    store.before_call = somebody_deletes
    report = await swept(store, None, policy=policy, batch=2)
    assert report.deleted == 3
    assert await ids(store) == ["thr_4"]


async def test_where_too_many_cursors_are_gone_a_sweep_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_REMEMBERED", 2)
    store = Killable()
    policy = RetentionPolicy(max_age=None, expires_at=lambda t, o, m: None)
    for number in range(6):
        await put(store, None, a_thread(f"thr_{number}", days=40 - number))
    calls = list[str]()

    def somebody_deletes(name: str) -> None:
        calls.append(name)
        if len(calls) == 4:
            for thread_id in ("thr_0", "thr_1", "thr_2"):
                store._threads.pop(thread_id)

    store.before_call = somebody_deletes
    with pytest.raises(RuntimeError, match="start again"):
        await swept(store, None, policy=policy, batch=1)


# ------------------------------------------------------------------------------------------------- failures


async def test_a_failure_of_one_thread_keeps_it_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("with", days=31), "atc")
    await put(store, files, a_thread("without", days=30))
    files.error = OSError("secret name")
    assert await swept(store, files) == SweepReport(deleted=1, failed=1)
    assert await ids(store) == ["with"]
    assert "thread with could not be deleted" in caplog.text
    assert "secret name" not in caplog.text
    files.error = None
    assert await swept(store, files) == SweepReport(deleted=1, attachments=1)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_without_an_attachment_store_a_thread_with_attachments_stays(
    dry_run: bool, caplog: pytest.LogCaptureFixture
) -> None:
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("with", days=31), "atc")
    assert (await swept(store, None, dry_run=dry_run)).failed == 1
    assert await ids(store) == ["with"]
    assert store._attachments
    assert "pass attachment_store=" in caplog.text


async def test_an_attachment_of_another_thread_stays_and_one_that_is_gone_is_no_failure() -> None:
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("old", days=30), "moved", "half", "gone")
    await store.save_attachment(an_attachment("moved", "new"), None)
    del files.bytes["half"]
    await files.delete_attachment("gone", None)
    await store.delete_attachment("gone", None)
    assert await swept(store, files) == SweepReport(deleted=1, attachments=2)
    assert files.bytes.keys() == store._attachments.keys() == {"moved"}


async def test_a_store_that_does_not_delete_is_found_out_and_not_asked_for_ever() -> None:
    class Stubborn(MemoryStore):
        async def delete_thread(self, thread_id: str, context: Any) -> None:
            pass

    store = Stubborn()
    for number in range(3):
        await put(store, None, a_thread(f"old_{number}", days=30))
    with pytest.raises(RuntimeError, match="StoreContract"):
        await swept(store, None, batch=2)


async def test_a_store_that_finds_no_thread_at_all_raises() -> None:
    class Absent(MemoryStore):
        async def load_threads(self, limit: int, after: Any, order: str, context: Any) -> Any:
            raise NotFoundError

    with pytest.raises(NotFoundError):
        await swept(Absent(), None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"policy": 30}, "policy must be a RetentionPolicy"),
        ({"batch": 0}, "batch must be a number"),
        ({"batch": True}, "batch must be a number"),
        ({"batch": 1001}, "batch must be a number"),
        ({"pause": -1}, "pause must be seconds"),
        ({"pause": float("inf")}, "pause must be seconds"),
        ({"pause": "1"}, "pause must be seconds"),
        ({"dry_run": "no"}, "dry_run must be true or false"),
    ],
)
async def test_what_cannot_work_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        await swept(MemoryStore(), None, **options)


# -------------------------------------------------------------------------------------------- what it works on


async def test_a_sweep_works_beneath_what_guards_and_hides() -> None:
    inner = MemoryStore()
    encrypted = DelegatingStore[Any](inner)
    guarded = DelegatingStore[Any](OwnershipStore(RetentionStore(encrypted, policy=POLICY)))
    assert beneath(guarded) is encrypted
    assert beneath(encrypted) is encrypted
    assert beneath(inner) is inner
    assert files_beneath(files := Files()) is files


async def test_the_bytes_are_deleted_beneath_the_guard() -> None:
    inner, files = MemoryStore(), Files()
    store = OwnershipStore[Any](RetentionStore(inner, policy=POLICY, clock=Clock()))
    await put(inner, files, a_thread("old", days=30), "atc")
    encrypted = DelegatingAttachmentStore[Any](files)
    guarded = OwnershipAttachmentStore(encrypted, store=store)
    assert files_beneath(guarded) is encrypted
    assert await swept(store, guarded) == SweepReport(deleted=1, attachments=1)
    assert files.bytes == {}
