"""The contract for stores, where it is not fulfilled; `contracts/` and `test_memory.py` show where it is."""

import inspect
from typing import Any

import pytest

from chatkit_prod.testing.contract import StoreContract


def test_a_contract_without_a_store_says_what_to_override() -> None:
    unfulfilled: Any = inspect.unwrap(StoreContract.store)
    with pytest.raises(NotImplementedError, match="override the fixture `store`"):
        unfulfilled(StoreContract())
