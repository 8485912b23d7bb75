"""What every test stands on."""

import pytest
from hypothesis import settings

settings.register_profile("bounded", deadline=None, max_examples=100, derandomize=True, database=None)
settings.load_profile("bounded")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """ChatKit runs on asyncio."""
    return "asyncio"
