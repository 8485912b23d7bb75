"""A guarded store brings its gate to every endpoint, through wrappers, and a wrapper that would hide it is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod import ChatKitEndpoint, ConfigurationError
from chatkit_prod.access import OwnershipStore
from chatkit_prod.store import DelegatingStore, gate_of, require_visible_gate
from chatkit_prod.testing import MemoryStore
from tests.servers import ScriptedServer, hello


class Hiding(MemoryStore):
    """A store of an app's own that holds another."""

    def __init__(self, held: Store[Any]) -> None:
        super().__init__()
        self.held = held


GUARDED: OwnershipStore[Any] = OwnershipStore(MemoryStore())

VISIBLE: dict[str, Callable[[], Store[Any]]] = {
    "no guard": MemoryStore,
    "no guard, wrapped": lambda: Hiding(DelegatingStore(MemoryStore())),
    "a guard": lambda: GUARDED,
    "a guard behind a wrapper": lambda: DelegatingStore(DelegatingStore(GUARDED)),
}
HIDDEN: dict[str, Callable[[], Store[Any]]] = {
    "at once": lambda: Hiding(GUARDED),
    "behind a wrapper": lambda: DelegatingStore(Hiding(DelegatingStore(GUARDED))),
    "twice": lambda: Hiding(Hiding(GUARDED)),
}


@pytest.mark.parametrize("make", VISIBLE.values(), ids=VISIBLE)
def test_a_gate_that_can_be_seen_is_the_gate_of_every_wrapper(make: Callable[[], Store[Any]]) -> None:
    store = make()
    require_visible_gate(store)
    is_guarded = isinstance(store, DelegatingStore)
    assert gate_of(store) is (GUARDED.gate if is_guarded else None)
    ChatKitEndpoint(ScriptedServer(hello, store))


@pytest.mark.parametrize("make", HIDDEN.values(), ids=HIDDEN)
def test_a_wrapper_that_would_hide_the_gate_is_named(make: Callable[[], Store[Any]]) -> None:
    with pytest.raises(ConfigurationError, match="Hiding hides the guard of the store that it holds"):
        ChatKitEndpoint(ScriptedServer(hello, make()))


def test_an_object_without_attributes_hides_nothing() -> None:
    require_visible_gate(object())
