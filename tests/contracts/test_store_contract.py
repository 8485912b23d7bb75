"""One suite over every store wrapper, and over every pair of wrappers.

A new wrapper is one line in `WRAPPERS`.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from chatkit_prod.testing.contract import StoreContract

Wrapper = Callable[[Store[Any]], Store[Any]]

WRAPPERS: dict[str, Wrapper] = {
    "DelegatingStore": DelegatingStore,
}

STACKS: dict[str, tuple[Wrapper, ...]] = {
    "MemoryStore": (),
    **{name: (wrapper,) for name, wrapper in WRAPPERS.items()},
    **{
        f"{outer} of {inner}": (WRAPPERS[inner], WRAPPERS[outer])
        for outer, inner in product(WRAPPERS, repeat=2)
    },
}


@pytest.mark.parametrize("wrappers", STACKS.values(), ids=STACKS)
class TestEveryStack(StoreContract):
    """Every wrapper around a store in memory, and every pair of wrappers in both orders."""

    @pytest.fixture
    def store(self, wrappers: tuple[Wrapper, ...]) -> Store[Any]:
        store: Store[Any] = MemoryStore()
        for wrap in wrappers:
            store = wrap(store)
        return store
