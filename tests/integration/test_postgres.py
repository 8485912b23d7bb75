"""The store on a real PostgreSQL does what `StoreContract` and `OwnershipStore` ask of it."""

import itertools
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import LiteralString

import pytest
from chatkit.store import Store
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from chatkit_prod import RequestContext
from chatkit_prod.access import OwnershipStore
from chatkit_prod.testing.contract import StoreContract
from examples.stores.postgres import PostgresStore
from tests.examples.owner_column import ALICE, OpenStore, OwnerColumn, a_thread, outcomes, owned

pytestmark = pytest.mark.anyio

_numbers = itertools.count()


@pytest.fixture
async def database(cluster: str) -> str:
    """Return what to connect to for an empty database."""
    name = f"test_{next(_numbers)}"
    async with await AsyncConnection.connect(f"{cluster}/postgres", autocommit=True) as connection:
        await connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return f"{cluster}/{name}"


class TestPostgresStore(StoreContract):
    @pytest.fixture(scope="session")
    @classmethod
    def anyio_backend(cls) -> str:  # it lives as long as the cluster
        return "asyncio"

    @pytest.fixture
    async def store(self, database: str) -> AsyncGenerator[Store[RequestContext]]:
        async with PostgresStore(database, filters_by_owner=False) as opened:
            yield opened

    @pytest.fixture
    def context(self) -> RequestContext:
        return ALICE


class TestGuardedPostgresStore(TestPostgresStore):
    @pytest.fixture
    async def store(self, database: str) -> AsyncGenerator[Store[RequestContext]]:
        async with PostgresStore(database) as opened:
            yield OwnershipStore(opened)


class TestOwnerColumn(OwnerColumn):
    @pytest.fixture
    def opened(self, database: str) -> OpenStore:
        return partial(PostgresStore, database)


class Watched(PostgresStore):
    """Remembers its last statement."""

    statement: LiteralString
    parameters: dict[str, str | float | None]

    async def _run(self, statement: LiteralString, **parameters: str | float | None) -> Sequence[str]:
        self.statement, self.parameters = statement, parameters
        return await super()._run(statement, **parameters)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, "thr_2"])
async def test_a_page_of_a_few_threads_among_many_is_one_scan_of_the_index(
    database: str, order: str, after: str | None
) -> None:
    async with Watched(database) as store:
        await store._run(
            """
            INSERT INTO threads (id, owner, created_at, data)
            SELECT 'thr_of_' || number, number, number, '{}' FROM generate_series(1, 10000) AS number
            """
        )
        for number in range(4):
            await store.save_thread(owned(a_thread(f"thr_{number}")), ALICE)
        await store._run("ANALYZE threads")
        assert (await store.load_threads(1, after, order, ALICE)).data
        plan = "\n".join(await store._run("EXPLAIN " + store.statement, **store.parameters))
    assert "Index Scan using threads_of_owner" in plan or "Index Scan Backward using threads_of_owner" in plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan


async def test_stores_that_open_an_empty_database_at_once_make_its_tables_once(database: str) -> None:
    stores = [PostgresStore(database) for _ in range(5)]

    async def open_and_save(store: PostgresStore) -> None:
        async with store:
            await store.save_thread(owned(a_thread()), ALICE)

    assert await outcomes([open_and_save(store) for store in stores]) == {type(None): 5}
