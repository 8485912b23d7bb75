"""A thread under hold is not deleted, whatever its age and whoever asks; both ends of a hold are recorded."""

import logging
from typing import Any

import pytest
from chatkit.store import NotFoundError

from chatkit_prod import ConfigurationError
from chatkit_prod.retention import (
    DELETED_KEY,
    RetentionPolicy,
    RetentionStore,
    SweepReport,
    hold,
    is_held,
    release,
    sweep,
)
from chatkit_prod.testing import MemoryStore
from tests.retention.world import DAY, Clock, Files, a_thread, ids, put

pytestmark = pytest.mark.anyio

POLICY = RetentionPolicy(max_age=30 * DAY)


def swept(store: Any, files: Any) -> Any:
    return sweep(store, policy=POLICY, context=None, attachment_store=files, clock=Clock(), pause=0)


async def test_a_held_thread_stays_until_it_is_released(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    store, files = MemoryStore(), Files()
    await put(store, files, a_thread("old", days=99), "atc")
    await hold(store, "old", reason="case 1", context=None)
    assert is_held(await store.load_thread("old", None))
    assert await swept(store, files) == SweepReport(held=1)
    await release(store, "old", reason="case 1 is closed", context=None)
    assert not is_held(await store.load_thread("old", None))
    assert (await swept(store, files)).deleted == 1
    found = [
        (vars(record)["chatkit"]["decision"], vars(record)["chatkit"]["reason"]) for record in caplog.records
    ]
    assert found == [("held", "case 1"), ("released", "case 1 is closed"), ("deleted", "expired")]


@pytest.mark.parametrize("value", [None, False, {}, "what is this"])
async def test_whatever_stands_under_the_key_is_a_hold(value: Any) -> None:
    store = MemoryStore()
    await store.save_thread(a_thread("old", days=99, metadata={"chatkit_prod.hold": value}), None)
    assert await swept(store, None) == SweepReport(held=1)


async def test_what_its_user_deleted_under_hold_goes_with_the_hold() -> None:
    inner, files = MemoryStore(), Files()
    store = RetentionStore[Any](inner, policy=POLICY, clock=Clock())
    await put(inner, files, a_thread("thr"), "atc")
    await hold(store, "thr", reason="case 1", context=None)
    await store.delete_thread("thr", None)
    with pytest.raises(ConfigurationError, match="pass attachment_store="):
        await release(store, "thr", reason="end", context=None)
    assert is_held(await inner.load_thread("thr", None))
    await release(store, "thr", reason="end", context=None, attachment_store=files)
    assert await ids(inner) == []
    assert files.bytes == {}


async def test_a_thread_that_was_to_be_deleted_is_swept_if_its_hold_was_lost() -> None:
    store = MemoryStore()
    await store.save_thread(a_thread("thr", days=40, metadata={DELETED_KEY: "2026-01-01"}), None)
    policy = RetentionPolicy(max_age=50 * DAY, expires_at=lambda thread, owner, moment: None)
    report = await sweep(store, policy=policy, context=None, clock=Clock(), pause=0)
    assert report.deleted == 1


async def test_what_is_not_there_or_not_held_is_not_found() -> None:
    store = MemoryStore()
    await store.save_thread(a_thread("thr"), None)
    with pytest.raises(NotFoundError):
        await hold(store, "absent", reason="case 1", context=None)
    with pytest.raises(NotFoundError):
        await release(store, "thr", reason="case 1", context=None)


async def test_a_hold_needs_a_reason() -> None:
    with pytest.raises(ConfigurationError, match="a reason"):
        await hold(MemoryStore(), "thr", reason="", context=None)
    with pytest.raises(ConfigurationError, match="a reason"):
        await release(MemoryStore(), "thr", reason="", context=None)
