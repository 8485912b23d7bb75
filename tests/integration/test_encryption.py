"""What real databases write to their files holds nothing clear, and keys change under load without a loss."""

import itertools
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

import aiosqlite
import anyio
import pytest
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    FeedbackKind,
    FileAttachment,
    StreamOptions,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
)
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from chatkit_prod import RequestContext, harden
from chatkit_prod.access import OwnerOnly, system_principal
from chatkit_prod.auth import JWTBearer
from chatkit_prod.encryption import EncryptedAttachmentStore, EncryptedStore, LocalKeyring, reseal
from chatkit_prod.testing import (
    ChatKitClient,
    LocalIdentityProvider,
    chatkit_request,
    one_of_each,
    user_message,
)
from examples.stores.postgres import PostgresStore
from examples.stores.sqlite import SQLiteStore
from tests.encryption.keyrings import key
from tests.encryption.rows import item, items, thread

pytestmark = pytest.mark.anyio

MARK = "kanari7130"
SYSTEM = RequestContext(principal=system_principal("reseal"))
_numbers = itertools.count()


class Files(AttachmentStore[Any]):
    """Saves what it registers past every wrapper, as the one in ChatKit's guide."""

    def __init__(self, store: Store[Any]) -> None:
        self._store = store

    async def create_attachment(self, input: AttachmentCreateParams, context: Any) -> Attachment:  # noqa: A002
        made = FileAttachment(id="atc_1", name=input.name, mime_type=input.mime_type)
        await self._store.save_attachment(made, context)
        return made

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        pass


class Desk(ChatKitServer[Any]):
    """Answers with an item of each type, and writes to whatever it may write to."""

    def get_stream_options(self, thread: ThreadMetadata, context: Any) -> StreamOptions:
        return StreamOptions(allow_cancel=True)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        thread.title = MARK
        thread.metadata[MARK] = MARK
        made = items(thread.id, MARK)
        for each in (made[1], *made[3:], made[2]):  # the client answers to a tool call that is the last item
            yield ThreadItemDoneEvent(item=each)

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        thread.metadata["action"] = action.payload
        yield ThreadItemDoneEvent(item=item(7, thread.id, MARK))

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> SyncCustomActionResponse:
        await self.store.save_item(thread.id, item(3, thread.id, MARK), context)
        return SyncCustomActionResponse()

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Any
    ) -> None:
        thread = await self.store.load_thread(thread_id, context)
        thread.metadata["feedback"] = MARK
        await self.store.save_thread(thread, context)

    async def transcribe(self, audio_input: AudioInput, context: Any) -> TranscriptionResult:
        return TranscriptionResult(text=MARK)


Held = Callable[[], Any]
"""Returns all bytes of the files of a database; async."""


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncGenerator[tuple[Store[RequestContext], Held]]:
    async def held() -> bytes:
        return _bytes_in(folder)

    async with SQLiteStore(folder / "store.sqlite3") as store:
        yield store, held


@asynccontextmanager
async def in_postgres(cluster: str) -> AsyncGenerator[tuple[Store[RequestContext], Held]]:
    name = f"encryption_{next(_numbers)}"
    async with await AsyncConnection.connect(f"{cluster}/postgres", autocommit=True) as admin:
        await admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        database = await _value(admin, "SELECT oid::text FROM pg_database WHERE datname = %s", name)
        data = Path(await _value(admin, "SHOW data_directory"))

        async def held() -> bytes:
            await admin.execute("CHECKPOINT")
            return _bytes_in(data / "base" / database) + _bytes_in(data / "pg_wal")

        async with PostgresStore(f"{cluster}/{name}") as store:
            yield store, held


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def _value(connection: AsyncConnection[Any], query: LiteralString, *values: str) -> str:
    row = await (await connection.execute(query, values)).fetchone()
    return str(row[0]) if row else ""


Opened = AbstractAsyncContextManager[tuple[Store[RequestContext], Held]]


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    if request.param == "sqlite":
        return in_sqlite(tmp_path)
    return in_postgres(request.getfixturevalue("cluster"))


def operations(thread_id: str, message_id: str) -> dict[str, bytes]:
    """Return one request of each type, in an order in which all of them can be answered."""
    bodies = one_of_each(thread_id=thread_id, item_id="itm_1", text=MARK)
    bodies["threads.create"] = chatkit_request("threads.create", input=user_message(MARK))
    bodies["attachments.create"] = chatkit_request(
        "attachments.create", name=f"{MARK}.txt", size=5, mime_type="text/plain"
    )
    bodies["threads.add_structured_input"] = chatkit_request(
        "threads.add_structured_input",
        thread_id=thread_id,
        item_id="itm_5",
        input={"answers": {"q": {"values": [MARK]}}},
    )
    bodies["threads.retry_after_item"] = chatkit_request(
        "threads.retry_after_item", thread_id=thread_id, item_id=message_id
    )
    last = ["threads.retry_after_item", "attachments.delete", "threads.delete"]
    first = ["threads.add_client_tool_output"]
    return {name: bodies[name] for name in [*first, *sorted(set(bodies) - {*first, *last}), *last]}


@pytest.mark.parametrize("is_encrypted", [True, False], ids=["encrypted", "plain"])
async def test_after_each_operation_the_files_hold_nothing_clear(opened: Opened, is_encrypted: bool) -> None:
    async with opened as (inner, held):
        store: Store[Any] = inner
        files: AttachmentStore[Any] = Files(inner)
        if is_encrypted:
            encrypted = EncryptedStore(inner, keyring=LocalKeyring.generate())
            store, files = encrypted, EncryptedAttachmentStore(files, store=encrypted)
        idp = LocalIdentityProvider()
        auth = JWTBearer(issuer=idp.issuer, audience="chatkit", jwks=idp.jwks)
        app = harden(Desk(store, files), auth=auth, access=OwnerOnly())
        headers = {"authorization": f"Bearer {idp.token('alice')}"}
        client = ChatKitClient(app)
        made = await client.send(chatkit_request("threads.create", input=user_message(MARK)), headers=headers)
        thread_id: str = made.events[0]["thread"]["id"]
        message_id = (await inner.load_thread_items(thread_id, None, 1, "asc", SYSTEM)).data[0].id
        requests, leaks = operations(thread_id, message_id), list[str]()
        for name, body in requests.items():
            answer = await client.send(body, headers=headers)
            assert answer.status == 200, name
            assert "error" not in {event["type"] for event in answer.events}, name
            if MARK.encode() in await held():
                leaks.append(name)
        assert len(requests) == 16
        assert bool(leaks) is not is_encrypted, leaks


async def test_keys_change_under_load_without_a_loss(tmp_path: Path) -> None:  # noqa: C901 - writers, and a roll-out
    """Three processes are replaced one by one, twice, while they write; then the old key is thrown away."""
    old, new = key(), key()
    generations = [{"old": old}, {"old": old, "new": new}, {"new": new, "old": old}]
    shared: dict[str, anyio.Lock] = {}
    async with SQLiteStore(tmp_path / "store.sqlite3", filters_by_owner=False) as inner:

        def process(generation: int) -> EncryptedStore[Any]:
            keyring = LocalKeyring(generations[generation])
            return EncryptedStore(
                inner, keyring=keyring, lock=lambda name: shared.setdefault(name, anyio.Lock())
            )

        processes = [process(0) for _ in range(3)]
        threads = [f"thr_{number}" for number in range(40)]
        expected: dict[str, dict[str, Any]] = {thread_id: {} for thread_id in threads}
        titles = dict.fromkeys(threads, "0")
        for thread_id in threads:
            await processes[0].save_thread(thread(thread_id, title="0"), SYSTEM)
        running = True

        async def write(worker: int) -> None:
            dice = random.Random(worker)
            for number in itertools.count():
                if not running:
                    return
                thread_id = dice.choice(threads[worker::6])
                store = processes[dice.randrange(3)]
                written = item(1, thread_id, f"{worker} {number}").model_copy(
                    update={"id": f"{worker}_{number % 50}"}
                )
                await store.save_item(thread_id, written, SYSTEM)
                expected[thread_id][written.id] = written
                titles[thread_id] = str(number)
                await store.save_thread(thread(thread_id, title=str(number)), SYSTEM)
                read = await processes[dice.randrange(3)].load_item(thread_id, written.id, SYSTEM)
                assert read == written

        resealed = 0
        with anyio.fail_after(50):
            async with anyio.create_task_group() as group:
                for worker in range(6):
                    group.start_soon(write, worker)
                for generation in (1, 2):
                    for number in range(3):
                        await anyio.sleep(0.2)
                        processes[number] = process(generation)
                await anyio.sleep(0.2)
                async for batch in reseal(process(2), SYSTEM, batch=7):
                    resealed += batch.seen
                    assert batch.broken == 0
                running = False
        assert resealed == len(threads)
        reader = EncryptedStore(inner, keyring=LocalKeyring({"new": new}))
        for thread_id in threads:
            assert (await reader.load_thread(thread_id, SYSTEM)).title == titles[thread_id]
            page = await reader.load_thread_items(thread_id, None, 10_000, "asc", SYSTEM)
            assert {row.id: row for row in page.data} == expected[thread_id]
        assert sum(map(len, expected.values())) > 100


async def test_a_key_of_a_deleted_thread_is_in_no_file(tmp_path: Path) -> None:
    """SQLite overwrites what is deleted if it is asked to; then items in old copies cannot be opened."""
    path = tmp_path / "store.sqlite3"
    async with SQLiteStore(path) as inner:
        await inner._connection.execute("PRAGMA secure_delete = ON")
        store = EncryptedStore(inner, keyring=LocalKeyring.generate())
        await store.save_thread(thread(), SYSTEM)
        wrapped = (await inner.load_thread("thr_1", SYSTEM)).metadata["chatkit_prod.key"]["wrapped"].encode()
        assert wrapped in _bytes_in(tmp_path)
        await store.delete_thread("thr_1", SYSTEM)
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert wrapped not in _bytes_in(tmp_path)
