"""The machine that says that nobody reaches what is another's finds each way to break the guard."""

import sys
from functools import partial
from typing import Any, get_args

import pytest
from chatkit.types import ThreadItem
from hypothesis import Phase, Verbosity

from chatkit_prod import Principal, RequestContext
from chatkit_prod.access import Action, Resource, SameTenant
from chatkit_prod.access.items import OwnedItems
from chatkit_prod.access.owner import Owner, has_stamp, stamped
from chatkit_prod.access.rows import OwnedRows
from chatkit_prod.operation import Operation
from tests.access.machine import AccessMachine, MachineOf, run
from tests.access.oracle import BreachError

Patches = dict[str, object]


async def _yes(*_: object) -> bool:
    return True


async def _nothing(*_: object) -> None: ...


def _never(*_: object) -> None: ...


async def _fails(_gate: object, operation: Operation, *_: object) -> None:
    if operation.thread_id is not None:
        raise ConnectionError


def _as_it_is(row: Any) -> Any:
    return row


def _open_any(cursors: object, after: str, owner: object) -> str:
    """Take every cursor for one of ours."""
    return after


async def _delete_any(files: Any, attachment_id: str, context: RequestContext) -> None:
    """Delete a file, whoever has it."""
    await files.inner.delete_attachment(attachment_id, context)


async def _upsert(
    rows: OwnedRows[Any, RequestContext], row: Any, context: RequestContext, **_: object
) -> None:
    """Save a row as the caller's, whoever has it."""
    await rows._create(row, context)


async def _save_anywhere(
    items: OwnedItems[RequestContext], thread_id: str, item: ThreadItem, save: Any, context: RequestContext
) -> None:
    """Save an item in a thread, whichever it says it is in."""
    await items._threads.require(thread_id, "threads:write", context)
    await save(thread_id, item, context)


async def _created_as_it_is(rows: OwnedRows[Any, RequestContext], row: Any, context: RequestContext) -> None:
    """Believe a stamp that app code has made."""
    owner = Owner.of(rows._guard.principal(context))
    await rows._save(row if has_stamp(row) else stamped(row, owner), context)


class SubjectOnly:
    """Takes everybody of one name for one user."""

    async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
        return resource is None or resource.owner.subject == principal.subject


BREAKS: dict[str, Patches] = {
    "a policy that allows everything": {"OwnerOnly.allows": _yes},
    "a gate that is open": {"AccessGate.admit": _nothing},
    "a file that anybody deletes": {
        "AccessGate.admit": _nothing,
        "OwnershipAttachmentStore.delete_attachment": _delete_any,
    },
    "a list of everybody's threads": {"OwnedRows.reaches": _yes},
    "a cursor that nobody checks": {"SealedCursors.open": _open_any},
    "a save that asks nobody": {"OwnedRows.save": _upsert},
    "an item that is in another thread": {"OwnedItems.save": _save_anywhere},
    "a stamp that app code forged": {"OwnedRows._create": _created_as_it_is},
    "a stamp that is shown": {"unstamped": _as_it_is},
    "an attachment that is bound anew": {"bound_elsewhere": _never},
    "a gate that fails for the owner": {"AccessGate.admit": _fails},
    "a lock that holds nobody": {"Guard.require_open": _never},
}


@pytest.mark.parametrize("patches", BREAKS.values(), ids=BREAKS)
def test_the_machine_finds(patches: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, broken in patches.items():
        _break(monkeypatch, name, broken)
    _must_fail(AccessMachine)


def test_the_machine_finds_tenants_who_change_what_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, "READING", frozenset(get_args(Action)))
    _must_fail(partial(AccessMachine, policy=SameTenant(), shares=True))


def test_the_machine_finds_a_tenant_who_is_not_told_apart() -> None:
    """Of two users with one subject."""
    _must_fail(partial(AccessMachine, policy=SubjectOnly()))


def _break(monkeypatch: pytest.MonkeyPatch, name: str, broken: object) -> None:
    """Replace something of `chatkit_prod.access` in every module that has it."""
    owner, _, attribute = name.rpartition(".")
    modules = [module for path, module in sys.modules.items() if path.startswith("chatkit_prod.access.")]
    targets = [getattr(module, owner, None) if owner else module for module in modules]
    having = [target for target in targets if hasattr(target, attribute)]
    assert having, f"there is no {name} to break"
    for target in having:
        monkeypatch.setattr(target, attribute, broken)


def _must_fail(machine: MachineOf) -> None:
    with pytest.raises(BreachError):
        run(
            machine,
            sequences=5000,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
        )
