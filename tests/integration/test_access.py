"""Nobody reaches another user's rows: the machine of `tests/access`, for longer, and over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from examples.stores.postgres import PostgresStore
from tests.access.machine import AccessMachine, run
from tests.access.raw import Raw, RawSQL

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="session")
def anyio_backend() -> str:  # it lives as long as the cluster
    return "asyncio"


@asynccontextmanager
async def in_postgres(database: str, *, filters_by_owner: bool) -> AsyncGenerator[Raw]:
    async with PostgresStore(database, connections=1, filters_by_owner=filters_by_owner) as store:
        await store._run("TRUNCATE threads, items, attachments")
        yield RawSQL(store)


def test_nobody_reaches_what_is_anothers() -> None:
    run(AccessMachine, sequences=2000)


@pytest.mark.parametrize("filters_by_owner", [False, True], ids=["lists everything", "filters by owner"])
async def test_nobody_reaches_what_is_anothers_in_postgres(cluster: str, filters_by_owner: bool) -> None:
    name = f"access_{filters_by_owner}".lower()
    async with await AsyncConnection.connect(f"{cluster}/postgres", autocommit=True) as connection:
        await connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    opening = partial(in_postgres, f"{cluster}/{name}", filters_by_owner=filters_by_owner)
    await asyncio.to_thread(run, partial(AccessMachine, opening), sequences=150)
