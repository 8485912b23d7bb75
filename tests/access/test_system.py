"""A job of the app's own reaches everything, says so, and is nobody whom a request could become."""

import asyncio
import logging
from copy import copy, deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio.to_thread
import pytest
from chatkit.store import NotFoundError
from chatkit.types import FileAttachment, ThreadMetadata, UserMessageItem

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.access import (
    OwnershipStore,
    SystemPrincipal,
    owner_of,
    system_principal,
)
from chatkit_prod.testing import MemoryStore
from tests.servers import http_scope

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive
ALICE = Principal(issuer="https://idp.example.com", subject="alice")
AUDIT = "chatkit_prod.audit"


def _principal(context: Principal) -> Principal:
    return context


def thread(thread_id: str) -> ThreadMetadata:
    return ThreadMetadata(id=thread_id, created_at=NOW)


def request() -> RequestState:
    """Return the state of a request of Alice's."""
    _, state = RequestState.seed(http_scope())
    state.principal = ALICE
    return state


async def stores() -> tuple[MemoryStore, OwnershipStore[Any]]:
    """Return a store with a thread of Alice's and one from before it was guarded, and the guarded one."""
    inner = MemoryStore()
    guarded: OwnershipStore[Any] = OwnershipStore(inner, principal=_principal)
    await guarded.save_thread(thread("thr_alice"), ALICE)
    await guarded.save_attachment(FileAttachment(id="atc_alice", name="a", mime_type="text/plain"), ALICE)
    await inner.save_thread(thread("thr_old"), None)
    await inner.save_attachment(FileAttachment(id="atc_old", name="a", mime_type="text/plain"), None)
    return inner, guarded


# ------------------------------------------------------------------------------------------------ outside of a request


@pytest.mark.parametrize("thread_id", ["thr_alice", "thr_old"])
async def test_a_job_reads_changes_and_deletes_every_thread(thread_id: str) -> None:
    inner, guarded = await stores()
    job = system_principal("retention")
    found = await guarded.load_thread(thread_id, job)
    owner = owner_of(await inner.load_thread(thread_id, None))
    found.title = "Archived"
    await guarded.save_thread(found, job)
    changed = await inner.load_thread(thread_id, None)
    assert changed.title == "Archived"
    assert owner_of(changed) == owner
    item = UserMessageItem.model_validate(
        {
            "id": "msg_1",
            "thread_id": thread_id,
            "created_at": NOW,
            "content": [],
            "inference_options": {},
        }
    )
    await guarded.add_thread_item(thread_id, item, job)
    page = await guarded.load_thread_items(thread_id, None, 10, "asc", job)
    assert [found.id for found in page.data] == ["msg_1"]
    await guarded.delete_thread(thread_id, job)
    with pytest.raises(NotFoundError):
        await inner.load_thread(thread_id, None)


@pytest.mark.parametrize("attachment_id", ["atc_alice", "atc_old"])
async def test_a_job_reads_and_deletes_every_attachment(attachment_id: str) -> None:
    inner, guarded = await stores()
    job = system_principal("retention")
    assert (await guarded.load_attachment(attachment_id, job)).id == attachment_id
    await guarded.delete_attachment(attachment_id, job)
    with pytest.raises(NotFoundError):
        await inner.load_attachment(attachment_id, None)


async def test_a_job_lists_every_thread() -> None:
    _, guarded = await stores()
    page = await guarded.load_threads(10, None, "asc", system_principal("export"))
    assert sorted(found.id for found in page.data) == ["thr_alice", "thr_old"]


async def test_what_is_absent_is_absent_for_a_job_too() -> None:
    _, guarded = await stores()
    with pytest.raises(NotFoundError):
        await guarded.load_thread("thr_none", system_principal("retention"))


async def test_a_principal_of_the_same_names_is_no_system() -> None:
    job = system_principal("retention")
    pretender = Principal(
        issuer=job.issuer, subject=job.subject, tenant=job.tenant, scopes=job.scopes, method=job.method
    )
    assert pretender != job
    _, guarded = await stores()
    for thread_id in ("thr_alice", "thr_old"):
        with pytest.raises(NotFoundError):
            await guarded.load_thread(thread_id, pretender)
    assert (await guarded.load_threads(10, None, "asc", pretender)).data == []


def test_a_job_has_a_name() -> None:
    with pytest.raises(ConfigurationError):
        system_principal("")


def test_who_becomes_the_system_is_in_the_audit_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, AUDIT)
    system_principal("retention")
    (record,) = caplog.records
    assert record.name == AUDIT
    assert getattr(record, "chatkit", None) == {
        "decision": "granted",
        "issuer": "chatkit_prod.system",
        "user_id": "retention",
        "tenant": None,
        "method": "system",
    }


# ------------------------------------------------------------------------------------------------ inside of a request


async def _in_the_request() -> None:
    system_principal("retention")


async def _in_a_task() -> None:
    await asyncio.create_task(_in_the_request())


async def _in_a_task_of_a_task() -> None:
    await asyncio.create_task(_in_a_task())


async def _in_a_thread() -> None:
    await asyncio.to_thread(system_principal, "retention")


async def _in_a_thread_of_anyio() -> None:
    await anyio.to_thread.run_sync(system_principal, "retention")


@pytest.mark.parametrize(
    "attempt",
    [_in_the_request, _in_a_task, _in_a_task_of_a_task, _in_a_thread, _in_a_thread_of_anyio],
    ids=lambda attempt: attempt.__name__.strip("_").replace("_", " "),
)
async def test_a_request_cannot_become_the_system(attempt: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, AUDIT)
    with (
        request().as_current(),
        pytest.raises(ConfigurationError, match="a request cannot become the system"),
    ):
        await attempt()
    assert caplog.records == []


async def test_nor_can_a_task_of_it_that_outlives_it() -> None:
    async def later() -> None:
        await over.wait()
        system_principal("retention")

    over = asyncio.Event()
    with request().as_current():
        task = asyncio.create_task(later())
    over.set()
    with pytest.raises(ConfigurationError):
        await task


def test_nor_by_the_class_or_by_changing_one_that_is_there() -> None:
    job = system_principal("retention")
    with request().as_current():
        with pytest.raises(ConfigurationError):
            SystemPrincipal(issuer="i", subject="s")
        with pytest.raises(ConfigurationError):
            replace(job, subject="export")


JOB = system_principal("retention")


@pytest.mark.parametrize("job", [JOB, copy(JOB), deepcopy(JOB)], ids=["itself", "copy", "deepcopy"])
async def test_one_that_was_made_before_is_refused_in_a_request(
    job: SystemPrincipal, caplog: pytest.LogCaptureFixture
) -> None:
    inner, guarded = await stores()
    caplog.set_level(logging.INFO, AUDIT)
    with request().as_current():
        for thread_id in ("thr_alice", "thr_old"):
            with pytest.raises(NotFoundError):
                await guarded.load_thread(thread_id, job)
            with pytest.raises(NotFoundError):
                await asyncio.create_task(guarded.delete_thread(thread_id, job))
        assert (await guarded.load_threads(10, None, "asc", job)).data == []
    reasons = [getattr(record, "chatkit", {})["reason"] for record in caplog.records]
    assert reasons == ["system principal in a request"] * 4
    assert len((await inner.load_threads(10, None, "asc", None)).data) == 2


async def test_after_the_request_it_reaches_everything_again() -> None:
    _, guarded = await stores()
    job = system_principal("retention")
    with request().as_current():
        pass
    assert (await guarded.load_thread("thr_old", job)).id == "thr_old"
