"""Nobody reaches another user's rows, whatever they do in whatever order.

That the machine which says so is able to fail is shown in `tests/integration/test_machine_fails.py`.
"""

from functools import partial
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_prod.access import AccessPolicy, OwnershipStore, SameTenant
from tests.contracts.test_store_contract import STACKS, Wrapper

from .machine import AccessMachine, run
from .raw import in_sqlite
from .world import Wrap

pytestmark = pytest.mark.no_cover


def _stacked(wrappers: tuple[Wrapper, ...], store: Store[Any], policy: AccessPolicy) -> Store[Any]:
    """Put wrappers around a store, innermost first."""
    for wrap in wrappers:
        store = OwnershipStore(store, policy=policy) if wrap is OwnershipStore else wrap(store)
    return store


WRAPS: dict[str, Wrap] = {
    name: partial(_stacked, wrappers)
    for name, wrappers in STACKS.items()
    if len(wrappers) == 2 and OwnershipStore in wrappers
}


def test_nobody_reaches_what_is_anothers() -> None:
    run(AccessMachine, sequences=200)


def test_who_shares_a_tenant_reads_what_is_anothers_and_changes_nothing() -> None:
    run(partial(AccessMachine, policy=SameTenant(), shares=True), sequences=30)


@pytest.mark.parametrize("filters_by_owner", [False, True], ids=["lists everything", "filters by owner"])
def test_nobody_reaches_what_is_anothers_in_sqlite(filters_by_owner: bool) -> None:
    run(partial(AccessMachine, partial(in_sqlite, filters_by_owner=filters_by_owner)), sequences=15)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_nobody_reaches_what_is_anothers_through_two_wrappers(wrap: Wrap) -> None:
    run(partial(AccessMachine, wrap=wrap), sequences=15)


def test_nobody_reaches_what_is_anothers_where_pages_are_read_on_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_prod.access.pages.SCANNED_ROWS", 1)
    monkeypatch.setattr("chatkit_prod.access.pages.MAX_INNER_PAGES", 2)
    run(AccessMachine, sequences=30)
