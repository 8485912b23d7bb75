"""Threads, items and attachments in SQLite.

Every write is one statement that commits itself. So a call that is cancelled half-way has happened
or has not, and no transaction stays open; calls that overlap wait for each other in one thread.
"""

# ruff: noqa: ARG002 - whose a row is, is the business of `OwnershipStore`: few calls need their context

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiosqlite
from chatkit.store import Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

from chatkit_prod import RequestContext
from chatkit_prod.store import UnguessableIds

from .rows import ATTACHMENT, ITEM, ORDERS, THREAD, listed_owner, only, page, stamp

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;

CREATE TABLE IF NOT EXISTS threads (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT,
    created_at REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS threads_of_owner ON threads (owner, created_at, sequence);
CREATE INDEX IF NOT EXISTS threads_by_time ON threads (created_at, sequence);

CREATE TABLE IF NOT EXISTS items (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    data TEXT NOT NULL,
    UNIQUE (thread_id, id)
) STRICT;
CREATE INDEX IF NOT EXISTS items_of_thread ON items (thread_id, sequence);

CREATE TABLE IF NOT EXISTS attachments (
    id TEXT PRIMARY KEY,
    owner TEXT,
    data TEXT NOT NULL
) STRICT;
"""


class SQLiteStore(UnguessableIds, Store[RequestContext]):
    """A ChatKit store in one file; open while in its `async with` block.

    It trusts its caller: wrap it in `chatkit_prod.access.OwnershipStore`. What it does for that
    wrapper: the stamp is a column, and a row that is somebody's never becomes somebody else's, also
    when two processes make one id at once.

    Args:
        path: The database file; made when it is not there.
        filters_by_owner: Whether `load_threads` leaves out what is not stamped with the principal of
            its context. False is for policies that share threads.
    """

    def __init__(self, path: Path, *, filters_by_owner: bool = True) -> None:
        self._path = path
        self._filters_by_owner = filters_by_owner

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            connecting = aiosqlite.connect(self._path, isolation_level=None)
            self._connection = await opening.enter_async_context(connecting)
            await self._connection.executescript(_SCHEMA)
            self._opened = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def load_thread(self, thread_id: str, context: RequestContext) -> ThreadMetadata:
        rows = await self._run("SELECT data FROM threads WHERE id = :id", id=thread_id)
        return THREAD.validate_json(only(rows))

    async def save_thread(self, thread: ThreadMetadata, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO threads (id, owner, created_at, data) VALUES (:id, :owner, :created_at, :data)
            ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, data = excluded.data
            WHERE threads.owner IS NULL OR threads.owner = excluded.owner
            RETURNING id
            """,
            id=thread.id,
            owner=stamp(thread),
            created_at=thread.created_at.timestamp(),
            data=THREAD.dump_json(thread).decode(),
        )
        only(rows)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: RequestContext
    ) -> Page[ThreadMetadata]:
        owner = listed_owner(context) if self._filters_by_owner else None
        than, direction = ORDERS[order]
        listed = "TRUE" if owner is None else "owner = :owner"
        start = "(SELECT created_at, sequence FROM threads WHERE id = :after)"
        beyond = "TRUE" if after is None else f"(created_at, sequence) {than} {start}"
        rows = await self._run(
            f"""
            SELECT data FROM threads WHERE {listed} AND {beyond}
            ORDER BY created_at {direction}, sequence {direction} LIMIT :limit
            """,  # noqa: S608 - all are constants
            owner=owner,
            after=after,
            limit=limit + 1,
        )
        if not rows and after is not None:
            await self.load_thread(after, context)  # beyond an absent thread there is nothing
        return page([THREAD.validate_json(data) for data in rows], limit)

    async def delete_thread(self, thread_id: str, context: RequestContext) -> None:
        await self._run("DELETE FROM threads WHERE id = :id", id=thread_id)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: RequestContext
    ) -> Page[ThreadItem]:
        than, direction = ORDERS[order]
        start = "(SELECT sequence FROM items WHERE thread_id = :thread_id AND id = :after)"
        beyond = "TRUE" if after is None else f"sequence {than} {start}"
        rows = await self._run(
            f"""
            SELECT data FROM items WHERE thread_id = :thread_id AND {beyond}
            ORDER BY sequence {direction} LIMIT :limit
            """,  # noqa: S608 - all are constants
            thread_id=thread_id,
            after=after,
            limit=limit + 1,
        )
        if not rows and after is None:
            await self.load_thread(thread_id, context)  # an absent thread has no items either
        elif not rows and after is not None:
            await self.load_item(thread_id, after, context)  # beyond an absent item there is nothing
        return page([ITEM.validate_json(data) for data in rows], limit)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: RequestContext) -> None:
        await self.save_item(thread_id, item, context)  # a stream that is cancelled may add an item twice

    async def save_item(self, thread_id: str, item: ThreadItem, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO items (id, thread_id, data)
            SELECT :id, id, :data FROM threads WHERE id = :thread_id
            ON CONFLICT (thread_id, id) DO UPDATE SET data = excluded.data
            RETURNING id
            """,
            id=item.id,
            thread_id=thread_id,
            data=ITEM.dump_json(item).decode(),
        )
        only(rows)

    async def load_item(self, thread_id: str, item_id: str, context: RequestContext) -> ThreadItem:
        rows = await self._run(
            "SELECT data FROM items WHERE thread_id = :thread_id AND id = :id",
            thread_id=thread_id,
            id=item_id,
        )
        return ITEM.validate_json(only(rows))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: RequestContext) -> None:
        await self._run(
            "DELETE FROM items WHERE thread_id = :thread_id AND id = :id", thread_id=thread_id, id=item_id
        )

    async def save_attachment(self, attachment: Attachment, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO attachments (id, owner, data) VALUES (:id, :owner, :data)
            ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, data = excluded.data
            WHERE attachments.owner IS NULL OR attachments.owner = excluded.owner
            RETURNING id
            """,
            id=attachment.id,
            owner=stamp(attachment),
            data=ATTACHMENT.dump_json(attachment).decode(),
        )
        only(rows)

    async def load_attachment(self, attachment_id: str, context: RequestContext) -> Attachment:
        rows = await self._run("SELECT data FROM attachments WHERE id = :id", id=attachment_id)
        return ATTACHMENT.validate_json(only(rows))

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        await self._run("DELETE FROM attachments WHERE id = :id", id=attachment_id)

    async def _run(self, statement: str, **parameters: str | float | None) -> Sequence[str]:
        """Run one statement, and return the first column of its rows."""
        rows = await self._connection.execute_fetchall(statement, parameters)
        return [row[0] for row in rows]
