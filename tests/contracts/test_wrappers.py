"""What every wrapper of a store has in common, whatever it changes."""

import inspect
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore
from tests.contracts.test_store_contract import WRAPPERS, Wrapper


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapper_delegates_what_it_does_not_change(wrap: Wrapper) -> None:
    inner: Store[Any] = MemoryStore()
    wrapper = wrap(inner)
    assert isinstance(wrapper, DelegatingStore)
    assert wrapper.inner is inner


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapper_takes_every_argument_by_the_names_of_chatkit(wrap: Wrapper) -> None:
    wrapper = wrap(MemoryStore())
    for name, theirs in inspect.getmembers(Store, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(wrapper, name))
            assert list(ours.parameters) == list(inspect.signature(theirs).parameters)[1:], name
