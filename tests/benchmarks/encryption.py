"""What encryption costs: sealing and opening an item, and a page of a hundred of them."""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

from chatkit_prod import Principal, RequestContext
from chatkit_prod.access import Owner, OwnerOnly, stamped
from chatkit_prod.encryption import EncryptedStore, LocalKeyring
from chatkit_prod.encryption.carrier import open_item, seal_item
from chatkit_prod.encryption.keys import Row as KeyRow
from chatkit_prod.encryption.keys import RowKeys
from chatkit_prod.testing import chatkit_request
from examples.stores.sqlite import SQLiteStore

from .apps import BenchServer, hardened
from .measure import Request, Row, batch, paired, ratio

ITEMS = 100
BATCH = 2000
THREAD = ThreadMetadata(id="thr_bench", created_at=datetime(2026, 1, 1, tzinfo=UTC))
USER = Principal(issuer="https://idp.localhost", subject="user")
CONTEXT = RequestContext(principal=USER)
LIST = chatkit_request("items.list", thread_id=THREAD.id, limit=ITEMS, order="asc")
_QUESTION = "Where is my order? It should have come on Monday, and I need it for a birthday. "
_ANSWER = "It left our warehouse on Friday, and the carrier says that it comes tomorrow before noon. "


def items(number: int) -> list[ThreadItem]:
    """Return questions of 80 characters and answers of 360, in turn."""
    found: list[ThreadItem] = []
    for index in range(number):
        fields: dict[str, Any] = {
            "id": f"msg_{index:032x}",
            "thread_id": THREAD.id,
            "created_at": THREAD.created_at + timedelta(seconds=index),
        }
        answer = AssistantMessageItem(**fields, content=[AssistantMessageContent(text=_ANSWER * 4)])
        question = UserMessageItem(
            **fields, content=[UserMessageTextContent(text=_QUESTION)], inference_options=InferenceOptions()
        )
        found.append(answer if index % 2 else question)
    return found


async def per_item(rounds: int) -> dict[str, float]:
    """Return the seconds of CPU time that it takes to seal an item, and to open one."""
    key = await RowKeys(LocalKeyring.generate(), size=1, seconds=60).make(KeyRow("thread", THREAD.id))
    clear = items(2)
    carriers = [seal_item(item, THREAD.id, key) for item in clear]

    def seal() -> None:
        for item in clear:
            seal_item(item, THREAD.id, key)

    def open_() -> None:
        for carrier in carriers:
            open_item(carrier, THREAD.id, carrier.id, key)

    return {name: _median(work, rounds) / len(clear) for name, work in (("seal", seal), ("open", open_))}


def _median(work: Callable[[], None], rounds: int) -> float:
    figures: list[float] = []
    for _ in range(rounds):
        gc.collect()
        started = time.process_time()
        for _ in range(BATCH):
            work()
        figures.append((time.process_time() - started) / BATCH)
    return statistics.median(figures)


async def page(headers: dict[str, str], rounds: int) -> float:
    """Return what `items.list` with a hundred items takes, encrypted over not."""
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        plain = await opened.enter_async_context(SQLiteStore(folder / "plain"))
        inner = await opened.enter_async_context(SQLiteStore(folder / "sealed"))
        stores: dict[str, Any] = {
            "plain": plain,
            "sealed": EncryptedStore(inner, keyring=LocalKeyring.generate()),
        }
        apps: dict[str, Any] = {}
        for name, store in stores.items():
            await store.save_thread(stamped(THREAD, Owner.of(USER)), CONTEXT)
            for item in items(ITEMS):
                await store.add_thread_item(THREAD.id, item, CONTEXT)
            apps[name] = hardened(BenchServer(1, store=store), access=OwnerOnly())
        asked = Request(LIST, headers)
        return ratio(
            await paired(
                {name: batch(asked, app, _nothing, size=10) for name, app in apps.items()}, rounds=rounds
            ),
            "sealed",
            "plain",
        )


async def _nothing() -> None: ...


async def rows(headers: dict[str, str], rounds: int) -> list[Row]:
    """Return the figures with their limits.

    Args:
        headers: Of a user who is signed in.
        rounds: Paired rounds.
    """
    item = await per_item(rounds)
    return [
        Row("sealing an item", item["seal"] * 1e6, 25, " µs"),
        Row("opening an item", item["open"] * 1e6, 25, " µs"),
        Row("`items.list` of 100 sealed items, against plain ones", await page(headers, rounds), 1.5),
    ]
