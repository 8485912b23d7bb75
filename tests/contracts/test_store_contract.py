"""One suite over every store wrapper, and over every pair of wrappers.

A new wrapper is one line in `WRAPPERS`.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OwnershipStore
from chatkit_prod.encryption import EncryptedStore, LocalKeyring
from chatkit_prod.pii import Scrubber, ScrubbingStore
from chatkit_prod.retention import RetentionPolicy, RetentionStore
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from chatkit_prod.testing.contract import StoreContract
from chatkit_prod.tracing import TracedStore

Wrapper = Callable[[Store[Any]], Store[Any]]

WRAPPERS: dict[str, Wrapper] = {
    "DelegatingStore": DelegatingStore,
    "EncryptedStore": partial(EncryptedStore, keyring=LocalKeyring.generate(), plain_rows="read"),
    "OwnershipStore": OwnershipStore,
    "RetentionStore": partial(RetentionStore, policy=RetentionPolicy(max_age=timedelta(days=36500))),
    "ScrubbingStore": partial(ScrubbingStore, scrubber=Scrubber(), messages=True, titles=True),
    "TracedStore": TracedStore,
}

ONCE = {"EncryptedStore", "OwnershipStore"}
"""What refuses to stand in front of itself: a second one would take the stamps or keys of the first away."""

UNDER_A_GUARD = {"EncryptedStore", "RetentionStore"}
"""What refuses to stand in front of a guard, which takes the owners' stamps away."""

STACKS: dict[str, tuple[Wrapper, ...]] = {
    "MemoryStore": (),
    **{name: (wrapper,) for name, wrapper in WRAPPERS.items()},
    "the stack of harden": tuple(
        WRAPPERS[name]
        for name in ("TracedStore", "EncryptedStore", "ScrubbingStore", "RetentionStore", "OwnershipStore")
    ),
    **{
        f"{outer} of {inner}": (WRAPPERS[inner], WRAPPERS[outer])
        for outer, inner in product(WRAPPERS, repeat=2)
        if not (outer == inner and outer in ONCE)
        and not (outer in UNDER_A_GUARD and inner == "OwnershipStore")
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
    with pytest.raises(ConfigurationError, match="already"):
        wrap(wrap(MemoryStore()))
    with pytest.raises(ConfigurationError, match="already"):
        wrap(DelegatingStore(wrap(MemoryStore())))
