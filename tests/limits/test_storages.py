"""Rules hold in one process, and on a Redis."""

from collections.abc import AsyncGenerator

import pytest

from tests.limits.fake_redis import fake_redis, url_of
from tests.limits.shared import Storages

pytestmark = pytest.mark.anyio


class TestMemory(Storages):
    @pytest.fixture
    def storage(self) -> str:
        return "memory://"


class TestRedis(Storages):
    @pytest.fixture
    async def storage(self) -> AsyncGenerator[str]:
        async with fake_redis() as redis:
            yield url_of(redis)
