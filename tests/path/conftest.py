"""Tests against real servers on real sockets.

Set `CHATKIT_PROD_SEED` to the seed of a failed run to repeat its random choices.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from chatkit_prod.auth import JWTBearer
from chatkit_prod.testing import LocalIdentityProvider

_HERE = Path(__file__).parent
_SEED = int(os.environ.get("CHATKIT_PROD_SEED", "") or random.SystemRandom().randrange(10**6))
_FIGURES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.path)
            item.add_marker(pytest.mark.no_cover)  # the unit tests cover every line by themselves


def pytest_report_header() -> str:
    return f"path: CHATKIT_PROD_SEED={_SEED}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[_FIGURES]
    if figures:
        terminalreporter.section("figures over real sockets")
        for line in figures:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def seed() -> int:
    return _SEED


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line below the tests."""
    lines = request.config.stash[_FIGURES]
    return lines.append


@pytest.fixture(scope="session")
def idp() -> LocalIdentityProvider:
    return LocalIdentityProvider()


@pytest.fixture(scope="session")
def auth(idp: LocalIdentityProvider) -> JWTBearer:
    return JWTBearer(issuer=idp.issuer, audience=idp.audience, jwks=idp.jwks, leeway=0)


@pytest.fixture(scope="session")
def bearer(idp: LocalIdentityProvider) -> dict[str, str]:
    return {"authorization": f"Bearer {idp.token('alice')}"}
