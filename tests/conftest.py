"""What every test stands on."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("bounded", deadline=None, max_examples=100, derandomize=True, database=None)
settings.load_profile("bounded")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """ChatKit runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def filters_of_loggers() -> Iterator[None]:
    """Loggers are those of the process: what an app has put on them would go over the records of every later test."""
    loggers = [logging.getLogger(name) for name in ("chatkit", "chatkit_prod", "chatkit_prod.access")]
    loggers += [logging.getLogger(name) for name in ("chatkit_prod.audit", "chatkit_prod.client")]
    before = [list(logger.filters) for logger in loggers]
    yield
    for logger, filters in zip(loggers, before, strict=True):
        logger.filters[:] = filters
