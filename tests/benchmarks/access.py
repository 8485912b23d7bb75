"""What access control costs: CPU time, calls of the app's own store, and inner pages of a list."""

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from chatkit.types import Page, ThreadItem, ThreadMetadata

from chatkit_prod import Principal, RequestContext
from chatkit_prod.access import Owner, OwnerOnly, OwnershipStore, stamped
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, chatkit_request, user_message
from examples.stores.sqlite import SQLiteStore

from .apps import THREAD, TURNS, BenchServer, hardened
from .measure import Request, batch, paired, ratio

GET = chatkit_request("threads.get_by_id", thread_id=THREAD.id)
SEND = chatkit_request("threads.add_user_message", thread_id=THREAD.id, input=user_message("Hello"))

THREADS = 100_000
OWN_THREADS = 20
PAGE = 20


class CountingStore(DelegatingStore[Any]):
    """Counts the calls that the two measured requests make, and the inner pages of lists."""

    calls = 0
    rows = 0

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        self.calls += 1
        return await super().load_thread(thread_id, context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        self.calls += 1
        return await super().load_thread_items(thread_id, after, limit, order, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.calls += 1
        await super().add_thread_item(thread_id, item, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        self.calls += 1
        page = await super().load_threads(limit, after, order, context)
        self.rows += len(page.data)
        return page


class Ratios(NamedTuple):
    """CPU time with `access=OwnerOnly()` over that without.

    Args:
        read: Of a `threads.get_by_id` with a page of items.
        empty: Of one without any item.
        stream: Of an answer.
    """

    read: float
    empty: float
    stream: float


async def ratios(headers: Mapping[str, str], rounds: int, deltas: int) -> Ratios:
    """Measure what the gate and the guarded stores add."""

    async def measure(body: bytes, turns: int, size: int) -> float:
        unguarded, guarded = BenchServer(deltas, turns=turns), BenchServer(deltas, turns=turns)
        apps = {
            "without": (hardened(unguarded), unguarded),
            "with": (hardened(guarded, access=OwnerOnly()), guarded),
        }
        request = Request(body, headers)
        figures = await paired(
            {name: batch(request, app, server.reset, size=size) for name, (app, server) in apps.items()},
            rounds=rounds,
        )
        return ratio(figures, "with", "without")

    return Ratios(
        read=await measure(GET, TURNS, 100),
        empty=await measure(GET, 0, 100),
        stream=await measure(SEND, TURNS, 20),
    )


async def further_calls(headers: Mapping[str, str]) -> int:
    """Return how many calls of the app's store the costlier of the two requests makes more."""
    found: list[int] = []
    for body in (GET, SEND):
        calls: list[int] = []
        for access in (None, OwnerOnly()):
            store = CountingStore(MemoryStore())
            server = BenchServer(1, store=store)
            app = hardened(server, access=access)
            await server.reset()
            await Request(body, headers).send(app)
            calls.append(store.calls)
        found.append(calls[1] - calls[0])
    return max(found)


class Walk(NamedTuple):
    """What it takes to list all of a user's threads, page by page.

    Args:
        requests: Pages that the user asks for.
        inner_pages: Pages that the app's store is asked for.
        rows: Threads on them.
        seconds: From the first to the last.
    """

    requests: int
    inner_pages: int
    rows: int
    seconds: float


async def walks() -> dict[str, Walk]:
    """Walk through the threads of a user who has 20 of 100,000, by how the store lists them."""
    alice = RequestContext(principal=Principal(issuer="desk", subject="alice"))
    found: dict[str, Walk] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "threads.sqlite3"
        async with SQLiteStore(path) as store:
            await _fill(store, Owner.of(alice.principal))
            found["filters by owner, with the index"] = await _walk(store, alice)
            await store._run("DROP INDEX threads_of_owner")
            found["filters by owner, without the index"] = await _walk(store, alice)
        async with SQLiteStore(path, filters_by_owner=False) as store:
            found["filters nothing"] = await _walk(store, alice)
    return found


async def _fill(store: SQLiteStore, owner: Owner) -> None:
    """Store all threads; every 5,000th is the user's."""
    context = RequestContext()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(THREADS):
        whose = (
            owner
            if number % (THREADS // OWN_THREADS) == 0
            else Owner(issuer="desk", subject=f"{number % 997}")
        )
        thread = ThreadMetadata(id=f"thr_{number}", created_at=start + timedelta(seconds=number))
        await store.save_thread(stamped(thread, whose), context)


async def _walk(store: SQLiteStore, context: RequestContext) -> Walk:
    counting = CountingStore(store)
    guarded = OwnershipStore(counting)
    started, requests, own, after = time.perf_counter(), 0, 0, None
    while True:
        page = await guarded.load_threads(PAGE, after, "desc", context)
        requests, own, after = requests + 1, own + len(page.data), page.after
        if not page.has_more:
            break
    if own != OWN_THREADS:
        raise RuntimeError(own)
    return Walk(requests, counting.calls, counting.rows, time.perf_counter() - started)


def table(found: Mapping[str, Walk]) -> str:
    """Return the walks as Markdown."""
    lines = [
        f"| {name} | {walk.requests} | {walk.inner_pages} | {walk.rows:,} | {walk.seconds * 1000:,.0f} |"
        for name, walk in found.items()
    ]
    head = "| store | pages of the user | inner pages | rows read | milliseconds |\n|---|---|---|---|---|"
    return "\n".join([head, *lines])
