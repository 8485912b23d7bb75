"""A sweep of 100,000 threads on a real PostgreSQL, killed three times, ends complete, and its memory stays flat."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from examples.stores.postgres import PostgresStore
from tests.path.servers import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THREADS = 100_000
"""One every 50 seconds, half of them of a tenant whose threads are kept for ever; none expires in the next hour."""

EVERY = 10
"""Every so many threads has an attachment."""

FILL = """
CREATE TABLE made AS SELECT
    number, 'thr_' || number AS id, 'atc_' || number AS attachment, number % 10 < 1 AS is_attached,
    number % 2 = 0 AND (100000 - number) * 50 > 2588400 AS is_expired,
    now() - (100000 - number) * interval '50 seconds'
        - CASE WHEN (100000 - number) * 50 > 2588400 THEN interval '1 day' ELSE interval '0' END AS created_at
    FROM generate_series(1, 100000) AS number;
ALTER TABLE made ADD PRIMARY KEY (number);
INSERT INTO threads (id, owner, created_at, data) SELECT id, NULL, extract(epoch FROM created_at),
    json_build_object('id', id, 'created_at', created_at, 'title', 'Title', 'metadata', json_build_object(
        'chatkit_prod.owner', json_build_array('desk', CASE number % 2 WHEN 0 THEN 'north' ELSE 'south' END, 'a')::text
    )) FROM made ORDER BY number;
INSERT INTO attachments (id, data) SELECT attachment,
    json_build_object('type', 'file', 'id', attachment, 'name', 'a', 'mime_type', 'text/plain', 'thread_id', id)
    FROM made WHERE is_attached;
INSERT INTO items (id, thread_id, data) SELECT 'msg', made.id, json_build_object(
        'type', 'user_message', 'id', 'msg', 'thread_id', made.id, 'created_at', created_at, 'content', '[]'::json,
        'inference_options', '{}'::json, 'attachments',
        CASE WHEN data IS NULL THEN '[]'::json ELSE json_build_array(data) END
    ) FROM made LEFT JOIN attachments ON attachments.id = attachment ORDER BY number;
ANALYZE;
"""


async def swept(url: str, folder: Path, *, batches: int | None) -> list[tuple[int, int, int]]:
    """Run a sweep, killed after some batches, and return what it told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.retention.sweeper", url, str(folder)), stdout=asyncio.subprocess.PIPE
    )
    told = list[tuple[int, int, int]]()
    assert process.stdout is not None
    async for line in process.stdout:
        deleted, failed, kib = map(int, line.split())
        told.append((deleted, failed, kib))
        if len(told) == batches:
            process.kill()
            break
    code = await asyncio.wait_for(process.wait(), LIMIT)
    assert code == (0 if batches is None else -9)
    return told


async def test_a_sweep_that_is_killed_three_times_ends_complete_in_flat_memory(
    cluster: str, tmp_path: Path
) -> None:
    async with await AsyncConnection.connect(f"{cluster}/postgres", autocommit=True) as connection:
        await connection.execute(SQL("CREATE DATABASE {}").format(Identifier("retention")))
    url = f"{cluster}/retention"
    async with PostgresStore(url):
        pass
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(FILL)
        cursor = await connection.execute("SELECT attachment FROM made WHERE is_attached")
        for (attachment,) in await cursor.fetchall():
            (tmp_path / attachment).touch()

        async def column(query: LiteralString) -> set[str]:
            return {row[0] for row in await (await connection.execute(query)).fetchall()}

        expired = await column("SELECT id FROM made WHERE is_expired")
        gone_files = await column("SELECT attachment FROM made WHERE is_attached AND is_expired")
        everything = await column("SELECT id FROM made")
        files = await column("SELECT attachment FROM made WHERE is_attached")
        assert len(expired) > 20_000
        started = time.perf_counter()
        for batches in (20, 90, 57):
            assert len(await swept(url, tmp_path, batches=batches)) == batches
        told = await swept(url, tmp_path, batches=None)
        seconds = time.perf_counter() - started
        assert await column("SELECT id FROM threads") == everything - expired
        assert await column("SELECT thread_id FROM items") == everything - expired
        assert await column("SELECT id FROM attachments") == files - gone_files
        assert set(await asyncio.to_thread(os.listdir, tmp_path)) == files - gone_files
    assert told[-1][1] == 0
    tenth, half, whole = (told[int(len(told) * share) - 1][2] for share in (0.1, 0.5, 1))
    assert whole - tenth < 4096, "KiB"
    sys.stdout.write(
        f"{len(expired)} of {THREADS} threads in {seconds:.1f} s; {tenth}, {half}, {whole} KiB at 10, 50, 100 %\n"
    )
