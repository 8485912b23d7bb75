"""One suite over every store wrapper, and over every pair of wrappers.

A new wrapper is one line in `WRAPPERS`.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OwnershipStore
from chatkit_prod.pii import Scrubber, ScrubbingStore
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from chatkit_prod.testing.contract import StoreContract
from chatkit_prod.tracing import TracedStore

Wrapper = Callable[[Store[Any]], Store[Any]]

WRAPPERS: dict[str, Wrapper] = {
    "DelegatingStore": DelegatingStore,
    "OwnershipStore": OwnershipStore,
    "ScrubbingStore": partial(ScrubbingStore, scrubber=Scrubber(), messages=True, titles=True),
    "TracedStore": TracedStore,
}

ONCE = {"OwnershipStore"}
"""What refuses to stand in front of itself: a second guard would take the stamp of the first away."""

STACKS: dict[str, tuple[Wrapper, ...]] = {
    "MemoryStore": (),
    **{name: (wrapper,) for name, wrapper in WRAPPERS.items()},
    **{
        f"{outer} of {inner}": (WRAPPERS[inner], WRAPPERS[outer])
        for outer, inner in product(WRAPPERS, repeat=2)
        if not (outer == inner and outer in ONCE)
    },
}


@pytest.mark.parametrize("wrappers", STACKS.values(), ids=STACKS)
class TestEveryStack(StoreContract):
    """Every wrapper around a store in memory, and every pair of wrappers in both orders."""

    @pytest.fixture
    def context(self) -> RequestContext:
        return RequestContext(principal=Principal(issuer="desk", subject="alice"))

    @pytest.fixture
    def store(self, wrappers: tuple[Wrapper, ...]) -> Store[Any]:
        store: Store[Any] = MemoryStore()
        for wrap in wrappers:
            store = wrap(store)
        return store


@pytest.mark.parametrize("name", sorted(ONCE))
def test_a_wrapper_that_may_stand_there_once_says_so(name: str) -> None:
    wrap = WRAPPERS[name]
    with pytest.raises(ConfigurationError, match="guarded already"):
        wrap(wrap(MemoryStore()))
    with pytest.raises(ConfigurationError, match="guarded already"):
        wrap(DelegatingStore(wrap(MemoryStore())))
