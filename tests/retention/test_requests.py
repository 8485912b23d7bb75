"""What a user may ask for: everything that is kept of them, and its end."""

import json
from typing import Any

import pytest
from chatkit.types import AttachmentUploadDescriptor, HiddenContextItem

from chatkit_prod import ConfigurationError
from chatkit_prod.retention import DELETED_KEY, EraseReport, erase_user, export_user, hold
from chatkit_prod.testing import MemoryStore
from tests.retention.world import (
    ALICE,
    BOB,
    NOW,
    Files,
    Killable,
    a_message,
    a_thread,
    an_attachment,
    ids,
    put,
)

pytestmark = pytest.mark.anyio


async def exported(store: Any, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in export_user(store, ALICE, context=None, **options)]


async def two_users() -> tuple[Killable, Files]:
    store, files = Killable(), Files()
    for number in range(3):
        await put(
            store, files, a_thread(f"a_{number}", days=99 * number), f"atc_a_{number}", text=f"alice {number}"
        )
        await put(store, files, a_thread(f"b_{number}", owner=BOB), f"atc_b_{number}", text="bob")
    await put(store, files, a_thread("nobody", owner=None), text="nobody")
    return store, files


async def test_an_export_holds_everything_of_one_user_and_nothing_of_another() -> None:
    store, _ = await two_users()
    lines = await exported(store, batch=2)
    assert [line["kind"] for line in lines] == ["thread", "attachment", "item"] * 3 + ["end"]
    found = {
        kind: [line["data"]["id"] for line in lines if line["kind"] == kind]
        for kind in ("thread", "attachment")
    }
    assert found == {"thread": ["a_2", "a_1", "a_0"], "attachment": ["atc_a_2", "atc_a_1", "atc_a_0"]}
    assert "bob" not in json.dumps(lines)
    assert "nobody" not in json.dumps(lines)
    end = lines[-1]["data"]
    assert (end["thread"], end["item"], end["attachment"]) == (3, 3, 3)


async def test_an_export_leaves_out_what_is_not_the_users() -> None:
    store = MemoryStore()
    await store.save_thread(
        a_thread("thr", metadata={"own": 1, "chatkit_prod.hold": {"reason": "case"}}), None
    )
    await store.add_thread_item("thr", a_message("thr", "atc"), None)
    hidden = HiddenContextItem(id="hid", thread_id="thr", created_at=NOW, content="secret")
    await store.add_thread_item("thr", hidden, None)
    stored = an_attachment("atc", "thr")
    stored.metadata = {"chatkit_prod.owner": "x", "own": 2}
    stored.upload_descriptor = AttachmentUploadDescriptor.model_validate(
        {"url": "https://files.example.com/canary", "method": "PUT"}
    )
    await store.save_attachment(stored, None)
    lines = await exported(store)
    assert lines[0]["data"]["metadata"] == {"own": 1}
    assert lines[1]["data"]["metadata"] == {"own": 2}
    assert lines[2]["data"]["attachments"] == ["atc"]
    text = json.dumps(lines)
    assert "canary" not in text
    assert "secret" not in text
    assert "chatkit_prod" not in text
    assert "secret" in json.dumps(await exported(store, hidden=True))


async def test_a_thread_that_is_deleted_during_an_export_ends_it_early_and_not_wrongly() -> None:
    store, _ = await two_users()

    def somebody_deletes(name: str) -> None:
        if name == "load_thread_items":
            store._threads.pop("a_1", None)

    store.before_call = somebody_deletes
    lines = await exported(store)
    assert lines[-1]["data"]["thread"] == 3
    assert lines[-1]["data"]["item"] == 2


async def test_an_erasure_deletes_everything_of_one_user_and_nothing_of_another() -> None:
    store, files = await two_users()
    report = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0, batch=2)
    assert report == EraseReport(deleted=3, attachments=3)
    assert sorted(await ids(store)) == ["b_0", "b_1", "b_2", "nobody"]
    assert files.bytes.keys() == store._attachments.keys() == {"atc_b_0", "atc_b_1", "atc_b_2"}
    again = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0)
    assert again == EraseReport()


async def test_an_erasure_without_deleting_reports_the_same() -> None:
    store, files = await two_users()
    await hold(store, "a_1", reason="case", context=None)
    dry = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0, dry_run=True)
    assert dry == EraseReport(deleted=2, attachments=2, held=("a_1",), dry_run=True)
    assert len(await ids(store)) == 7
    assert DELETED_KEY not in (await store.load_thread("a_1", None)).metadata


async def test_what_is_held_is_reported_and_no_longer_served() -> None:
    store, files = await two_users()
    await hold(store, "a_1", reason="case", context=None)
    for _ in range(2):
        report = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0)
        assert report.held == ("a_1",)
        assert DELETED_KEY in (await store.load_thread("a_1", None)).metadata
    assert "atc_a_1" in files.bytes


async def test_what_fails_is_reported_and_what_is_gone_is_not() -> None:
    store, files = await two_users()
    files.error = OSError()

    def somebody_deletes(name: str) -> None:
        store._threads.pop("a_1", None)

    store.before_call = somebody_deletes
    report = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0)
    assert sorted(report.failed) == ["a_0", "a_2"]
    assert report.deleted == 0


async def test_a_thread_that_is_gone_before_its_turn_is_not_counted() -> None:
    store, files = await two_users()

    def somebody_deletes(name: str) -> None:
        if name == "load_thread":
            store._threads.pop("a_1", None)

    store.before_call = somebody_deletes
    report = await erase_user(store, ALICE, context=None, attachment_store=files, pause=0)
    assert (report.deleted, report.failed) == (2, ())


@pytest.mark.parametrize("owner", ["alice", None])
async def test_an_owner_is_an_owner(owner: Any) -> None:
    with pytest.raises(ConfigurationError, match="see Owner"):
        await erase_user(MemoryStore(), owner, context=None)
    with pytest.raises(ConfigurationError, match="see Owner"):
        await anext(export_user(MemoryStore(), owner, context=None))
