"""Every operation of ChatKit needs an action, and is checked for at most one more call of the store."""

from collections import Counter
from typing import Any, get_args

import pytest
from chatkit.store import Store
from chatkit.types import NonStreamingReq, StreamingReq
from starlette.requests import HTTPConnection

from chatkit_prod import Principal, harden
from chatkit_prod.access import Action, OwnerOnly, OwnershipStore
from chatkit_prod.access.resources import NEEDS, READING
from chatkit_prod.operation import Limits, operation_names, parse
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import ChatKitClient, MemoryStore, chatkit_request, user_message
from tests.servers import FullServer, bounded, every_request, furnish, hello

pytestmark = pytest.mark.anyio

ALICE = Principal(issuer="https://idp.example.com", subject="alice")
REQUESTS = {
    **every_request(),
    "threads.create": chatkit_request("threads.create", input=user_message("Hello", attachments=["atc_1"])),
    "threads.create without attachments": every_request()["threads.create"],
    "threads.list behind a cursor": chatkit_request("threads.list", after="thr_1"),
    "items.list behind a cursor": chatkit_request("items.list", thread_id="thr_1", after="msg_1"),
    "items.feedback of two": chatkit_request(
        "items.feedback", thread_id="thr_1", item_ids=["msg_1", "inp_1"], kind="positive"
    ),
    "items.feedback of none": chatkit_request(
        "items.feedback", thread_id="thr_1", item_ids=[], kind="positive"
    ),
}

EXTRA: dict[str, dict[str, int]] = {
    "threads.create": {"load_thread": 1},
    "threads.create without attachments": {"load_thread": 1},
    "threads.add_user_message": {},
    "threads.add_client_tool_output": {},
    "threads.add_structured_input": {},
    "threads.retry_after_item": {"load_item": 1},
    "threads.custom_action": {},
    "threads.sync_custom_action": {},
    "threads.get_by_id": {},
    "threads.list": {},
    "threads.list behind a cursor": {"load_thread": 1},
    "threads.update": {},
    "threads.delete": {"load_thread": 1},
    "items.list": {"load_thread": 1},
    "items.list behind a cursor": {"load_thread": 1, "load_item": 1},
    "items.feedback": {"load_thread": 1, "load_item": 1},
    "items.feedback of two": {"load_thread": 1, "load_item": 2},
    "items.feedback of none": {"load_thread": 1},
    "attachments.create": {"load_attachment": 1},
    "attachments.delete": {"load_attachment": 1},
    "input.transcribe": {},
}
"""What the guard asks the app's store beyond what ChatKit asks it."""

NAMES_MORE_THAN_CHATKIT_LOOKS_UP = {
    "items.list behind a cursor",
    "items.feedback",
    "items.feedback of two",
}


class Alice:
    """An authenticator that knows only Alice."""

    challenge = "Desk"

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        return ALICE


class Counting(DelegatingStore[Any]):
    """Counts the calls that arrive at the app's own store.

    Args:
        inner: The store that does the work.
    """

    def __init__(self, inner: Store[Any]) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if not name.startswith(("load_", "save_", "add_", "delete_")):
            return method

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            return await method(*args, **kwargs)

        return counted


async def calls_of(request: bytes, *, access: bool) -> Counter[str]:
    """Return how often each method of the app's store is called for one request of Alice's."""
    memory = MemoryStore()
    await furnish(OwnershipStore(memory, principal=lambda _: ALICE))
    store = Counting(memory)
    server = FullServer(hello, store)
    app = harden(server, auth=Alice(), access=OwnerOnly() if access else None)
    store.calls.clear()
    answer = await ChatKitClient(app).send(request)
    assert answer.status == 200
    assert b'"type":"error"' not in answer.body
    return store.calls


# ------------------------------------------------------------------------------------------------ the table


def test_every_operation_of_chatkit_has_a_need_and_no_other_has() -> None:
    models = {
        model
        for union in (StreamingReq, NonStreamingReq)
        for model in get_args(get_args(union)[0] if hasattr(union, "__metadata__") else union)
    }
    assert set(NEEDS) == models
    assert len(NEEDS) == 16
    assert {model.model_fields["type"].default for model in NEEDS} == operation_names()


def test_every_need_is_an_action() -> None:
    needed = {action for need in NEEDS.values() for action in (need.action, need.attachments)}
    assert needed <= set(get_args(Action))


def test_every_action_is_needed_by_an_operation_or_asked_for_by_the_store() -> None:
    needed = {action for need in NEEDS.values() for action in (need.action, need.attachments)}
    assert set(get_args(Action)) - needed == {"attachments:read"}


def test_what_reads_says_so() -> None:
    assert {action for action in get_args(Action) if action.endswith(":read")} == READING


@pytest.mark.parametrize("request_name", REQUESTS)
@bounded
async def test_an_operation_that_needs_to_read_changes_nothing(request_name: str) -> None:
    operation = parse(REQUESTS[request_name], Limits())
    calls = await calls_of(REQUESTS[request_name], access=False)
    if NEEDS[type(operation.request)].action in READING:
        assert calls
        assert all(name.startswith("load_") for name in calls)


@pytest.mark.parametrize("request_name", REQUESTS)
@bounded
async def test_an_operation_reloads_if_chatkit_loads_what_it_names(request_name: str) -> None:
    operation = parse(REQUESTS[request_name], Limits())
    calls = await calls_of(REQUESTS[request_name], access=False)
    if operation.thread_id is not None or operation.attachment_ids:
        loads = bool(calls.keys() & {"load_thread", "load_item", "load_attachment"})
        assert NEEDS[type(operation.request)].reloads is loads


# ------------------------------------------------------------------------------------------------ what it costs


def test_the_table_of_what_it_costs_is_complete() -> None:
    assert EXTRA.keys() == REQUESTS.keys()
    assert {name.partition(" ")[0] for name in EXTRA} == operation_names()


@pytest.mark.parametrize("request_name", REQUESTS)
@bounded
async def test_a_checked_operation_costs_what_the_table_says(request_name: str) -> None:
    bare = await calls_of(REQUESTS[request_name], access=False)
    guarded = await calls_of(REQUESTS[request_name], access=True)
    assert guarded == bare + Counter(EXTRA[request_name])


@pytest.mark.parametrize("request_name", sorted(EXTRA.keys() - NAMES_MORE_THAN_CHATKIT_LOOKS_UP))
def test_that_is_one_call_more_at_most(request_name: str) -> None:
    assert sum(EXTRA[request_name].values()) <= 1


@pytest.mark.parametrize("request_name", sorted(NAMES_MORE_THAN_CHATKIT_LOOKS_UP))
def test_or_one_for_the_thread_and_each_item_of_which_chatkit_looks_at_none(request_name: str) -> None:
    operation = parse(REQUESTS[request_name], Limits())
    cursors = 1 if "cursor" in request_name else 0
    assert EXTRA[request_name] == {"load_thread": 1, "load_item": len(operation.item_ids) + cursors}
