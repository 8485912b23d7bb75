"""Threads, items and attachments in SQLite, each seen by its user alone.

Every call is one statement that commits itself. So a call that is cancelled half-way has happened
or has not, and no transaction stays open; calls that overlap wait for each other in one thread.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiosqlite
from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

from chatkit_prod import RequestContext
from chatkit_prod.store import UnguessableIds

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;

CREATE TABLE IF NOT EXISTS threads (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    created_at REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS threads_of_owner ON threads (owner, created_at, sequence);

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
    owner TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;
"""

_THREAD = TypeAdapter(ThreadMetadata)
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)

T = TypeVar("T")
TStored = TypeVar("TStored", ThreadMetadata, ThreadItem)


class SQLiteStore(UnguessableIds, Store[RequestContext]):
    """A ChatKit store in one file; open while in its `async with` block.

    What belongs to somebody else is absent: reading and writing it raise `NotFoundError`, deleting
    it does nothing.

    Args:
        path: The database file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        self._connection = await aiosqlite.connect(self._path, isolation_level=None)
        await self._connection.executescript(_SCHEMA)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def load_thread(self, thread_id: str, context: RequestContext) -> ThreadMetadata:
        rows = await self._run(
            "SELECT data FROM threads WHERE id = ? AND owner = ?",
            thread_id,
            _owner(context),
        )
        return _THREAD.validate_json(_only(rows))

    async def save_thread(self, thread: ThreadMetadata, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO threads (id, owner, created_at, data) VALUES (?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET data = excluded.data WHERE owner = excluded.owner
            RETURNING id
            """,
            thread.id,
            _owner(context),
            thread.created_at.timestamp(),
            _THREAD.dump_json(thread).decode(),
        )
        _only(rows)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: RequestContext
    ) -> Page[ThreadMetadata]:
        if after is not None:
            await self.load_thread(after, context)
        than, direction = _ORDERS[order]
        rows = await self._run(
            f"""
            SELECT data FROM threads WHERE owner = ?1 AND (?2 IS NULL OR
                (created_at, sequence) {than} (SELECT created_at, sequence FROM threads WHERE id = ?2))
            ORDER BY created_at {direction}, sequence {direction} LIMIT ?3
            """,  # noqa: S608 - both are constants
            _owner(context),
            after,
            limit + 1,
        )
        return _page([_THREAD.validate_json(data) for data in rows], limit)

    async def delete_thread(self, thread_id: str, context: RequestContext) -> None:
        await self._run("DELETE FROM threads WHERE id = ? AND owner = ?", thread_id, _owner(context))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: RequestContext
    ) -> Page[ThreadItem]:
        await self.load_thread(thread_id, context)
        if after is not None:
            await self.load_item(thread_id, after, context)
        than, direction = _ORDERS[order]
        rows = await self._run(
            f"""
            SELECT data FROM items WHERE thread_id = ?1 AND (?2 IS NULL OR
                sequence {than} (SELECT sequence FROM items WHERE thread_id = ?1 AND id = ?2))
            ORDER BY sequence {direction} LIMIT ?3
            """,  # noqa: S608 - both are constants
            thread_id,
            after,
            limit + 1,
        )
        return _page([_ITEM.validate_json(data) for data in rows], limit)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: RequestContext) -> None:
        await self.save_item(thread_id, item, context)  # a stream that is cancelled may add an item twice

    async def save_item(self, thread_id: str, item: ThreadItem, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO items (id, thread_id, data)
            SELECT ?, id, ? FROM threads WHERE id = ? AND owner = ?
            ON CONFLICT (thread_id, id) DO UPDATE SET data = excluded.data
            RETURNING id
            """,
            item.id,
            _ITEM.dump_json(item).decode(),
            thread_id,
            _owner(context),
        )
        _only(rows)

    async def load_item(self, thread_id: str, item_id: str, context: RequestContext) -> ThreadItem:
        rows = await self._run(
            """
            SELECT items.data FROM items JOIN threads ON threads.id = items.thread_id
            WHERE items.id = ? AND threads.id = ? AND threads.owner = ?
            """,
            item_id,
            thread_id,
            _owner(context),
        )
        return _ITEM.validate_json(_only(rows))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: RequestContext) -> None:
        await self._run(
            """
            DELETE FROM items WHERE id = ?
            AND thread_id IN (SELECT id FROM threads WHERE id = ? AND owner = ?)
            """,
            item_id,
            thread_id,
            _owner(context),
        )

    async def save_attachment(self, attachment: Attachment, context: RequestContext) -> None:
        rows = await self._run(
            """
            INSERT INTO attachments (id, owner, data) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET data = excluded.data WHERE owner = excluded.owner
            RETURNING id
            """,
            attachment.id,
            _owner(context),
            _ATTACHMENT.dump_json(attachment).decode(),
        )
        _only(rows)

    async def load_attachment(self, attachment_id: str, context: RequestContext) -> Attachment:
        rows = await self._run(
            "SELECT data FROM attachments WHERE id = ? AND owner = ?",
            attachment_id,
            _owner(context),
        )
        return _ATTACHMENT.validate_json(_only(rows))

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        await self._run("DELETE FROM attachments WHERE id = ? AND owner = ?", attachment_id, _owner(context))

    async def _run(self, statement: str, *parameters: str | float | None) -> Sequence[str]:
        """Run one statement, and return the first column of its rows."""
        rows = await self._connection.execute_fetchall(statement, parameters)
        return [row[0] for row in rows]


_ORDERS = {"asc": (">", "ASC"), "desc": ("<", "DESC")}


def _owner(context: RequestContext) -> str:
    """Return the whole identity of a user: a subject alone is unique only at its issuer."""
    user = context.principal
    return json.dumps([user.issuer, user.tenant, user.subject])


def _only(rows: Sequence[T]) -> T:
    if not rows:
        raise NotFoundError
    return rows[0]


def _page(rows: list[TStored], limit: int) -> Page[TStored]:
    data, has_more = rows[:limit], len(rows) > limit
    return Page(data=data, has_more=has_more, after=data[-1].id if has_more and data else None)
