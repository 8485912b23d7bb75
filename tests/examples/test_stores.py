"""The store on SQLite does what `StoreContract` and `OwnershipStore` ask of it."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path

import pytest
from chatkit.store import Store

from chatkit_prod import RequestContext
from chatkit_prod.access import OwnershipStore
from chatkit_prod.testing.contract import StoreContract
from examples.stores.sqlite import SQLiteStore

from .owner_column import ALICE, OpenStore, OwnerColumn, a_thread, owned

pytestmark = pytest.mark.anyio


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncGenerator[Store[RequestContext]]:
        async with SQLiteStore(tmp_path / "contract.sqlite3", filters_by_owner=False) as opened:
            yield opened

    @pytest.fixture
    def context(self) -> RequestContext:
        return ALICE


class TestGuardedSQLiteStore(TestSQLiteStore):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncGenerator[Store[RequestContext]]:
        async with SQLiteStore(tmp_path / "contract.sqlite3") as opened:
            yield OwnershipStore(opened)


class TestOwnerColumn(OwnerColumn):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> OpenStore:
        return partial(SQLiteStore, tmp_path / "owned.sqlite3")


class Watched(SQLiteStore):
    """Remembers its last statement."""

    statement: str
    parameters: dict[str, str | float | None]

    async def _run(self, statement: str, **parameters: str | float | None) -> Sequence[str]:
        self.statement, self.parameters = statement, parameters
        return await super()._run(statement, **parameters)

    async def plan(self) -> list[str]:
        """Return how that statement is carried out."""
        steps = await self._connection.execute_fetchall(
            f"EXPLAIN QUERY PLAN {self.statement}", self.parameters
        )
        return [step[3] for step in steps]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("after", [None, "thr_2"])
async def test_a_page_of_threads_is_one_search_of_the_index(
    tmp_path: Path, order: str, after: str | None
) -> None:
    async with Watched(tmp_path / "planned.sqlite3") as store:
        for number in range(4):
            await store.save_thread(owned(a_thread(f"thr_{number}")), ALICE)
        assert (await store.load_threads(1, after, order, ALICE)).data
        page, *cursor = await store.plan()
    assert page.startswith("SEARCH threads USING INDEX threads_of_owner (owner=?")
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in cursor), cursor
