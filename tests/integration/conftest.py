"""Tests against parts that nobody here has written: an OpenID provider on Node.js, Chromium, PostgreSQL, Prometheus."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from .chromium import chromium
from .oidc import NodeProvider
from .postgres import postgres

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.integration)


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncGenerator[NodeProvider]:
    running = NodeProvider(tmp_path / "keys.json")
    try:
        await running.start()
        yield running
    finally:
        await running.close()


@pytest.fixture(scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[BrowserContext]:
    async with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="session")
async def cluster() -> AsyncGenerator[str]:
    """A PostgreSQL for every test, where each makes a database of its own."""
    async with postgres() as running:
        yield running
