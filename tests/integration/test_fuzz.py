"""The same as tests/test_fuzz.py, with more bodies."""

from collections.abc import Callable

import pytest

from chatkit_prod.asgi import ASGIApp
from tests.servers import FullServer
from tests.test_fuzz import WAYS, Listener, listener, send_bodies

__all__ = ["listener"]

pytestmark = pytest.mark.anyio

BODIES = 10_000  # for each of two ways, and others for each


@pytest.mark.parametrize(("wrap", "seed"), [*zip(WAYS.values(), (3, 4), strict=True)], ids=WAYS)
async def test_none_of_20_000_bodies_is_our_fault_or_is_repeated(
    wrap: Callable[[FullServer], ASGIApp],
    seed: int,
    listener: Listener,
) -> None:
    await send_bodies(wrap, seed, BODIES, listener)
