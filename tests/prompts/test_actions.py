"""An action reaches the app's code with a payload of its type, or not at all."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import date
from typing import Any, cast

import pytest
from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.types import (
    ProgressUpdateEvent,
    SyncCustomActionResponse,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from chatkit_prod import ChatKitEndpoint, ConfigurationError, RequestContext
from chatkit_prod.errors import InvalidRequestError
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.prompts import ActionRouter
from chatkit_prod.testing import ChatKitClient, MemoryStore, chatkit_request
from tests.servers import NOW

pytestmark = pytest.mark.anyio

THREAD = ThreadMetadata(id="thr_1", created_at=NOW)
SECRET = "canary of a user"


class Cancel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order: int = Field(gt=0)
    on: date | None = None


class Nothing(BaseModel): ...


class Seen:
    """A router, and what reached the code behind it."""

    def __init__(self, **limits: int) -> None:
        self.router: ActionRouter[Any] = ActionRouter(**limits)
        self.payloads: list[BaseModel] = []
        self.router.on("cancel", Cancel)(self.cancel)
        self.router.on("refresh", Nothing)(self.cancel)
        self.router.on_sync("cancel_now", Cancel)(self.cancel_now)

    async def cancel(
        self, thread: ThreadMetadata, payload: BaseModel, sender: WidgetItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        self.payloads.append(payload)
        yield ProgressUpdateEvent(text="cancelled")

    async def cancel_now(
        self, thread: ThreadMetadata, payload: Cancel, sender: WidgetItem | None, context: Any
    ) -> SyncCustomActionResponse:
        self.payloads.append(payload)
        return SyncCustomActionResponse()

    async def call(self, action_type: str, payload: Any) -> list[ThreadStreamEvent]:
        action = Action[str, Any](type=action_type, payload=payload)
        return [event async for event in self.router.stream(THREAD, action, None, None)]

    async def call_sync(self, action_type: str, payload: Any) -> SyncCustomActionResponse:
        return await self.router.answer(
            THREAD, Action[str, Any](type=action_type, payload=payload), None, None
        )


async def test_a_handler_gets_its_payload_as_a_model() -> None:
    seen = Seen()
    assert await seen.call("cancel", {"order": 7, "on": "2026-01-02"}) == [
        ProgressUpdateEvent(text="cancelled")
    ]
    assert await seen.call_sync("cancel_now", {"order": 8}) == SyncCustomActionResponse()
    assert seen.payloads == [Cancel(order=7, on=date(2026, 1, 2)), Cancel(order=8)]


async def test_no_payload_is_an_empty_object() -> None:
    seen = Seen()
    await seen.call("refresh", None)
    assert seen.payloads == [Nothing()]
    with pytest.raises(CustomStreamError):
        await seen.call("cancel", None)


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


ENDLESS: dict[str, Any] = {}
ENDLESS["self"] = ENDLESS

INVALID: dict[str, Any] = {
    "a missing member": {},
    "another type": {"order": "7"},
    "a boolean": {"order": True},
    "a float": {"order": 7.0},
    "out of range": {"order": 0},
    "another member": {"order": 7, "admin": True},
    "a list": [{"order": 7}],
    "a text": json.dumps({"order": 7}),
    "no number": {"order": float("nan")},
    "no JSON": {"order": {1, 2}},
    "too deep for Python": nested(5000),
    "without an end": ENDLESS,
    "a lone surrogate": {"order": "\ud800"},
}


@pytest.mark.parametrize("payload", INVALID.values(), ids=INVALID)
async def test_a_payload_that_is_not_valid_is_refused(payload: Any) -> None:
    seen = Seen()
    with pytest.raises(CustomStreamError, match=r"^The request is not valid\.$"):
        await seen.call("cancel", payload)
    with pytest.raises(InvalidRequestError):
        await seen.call_sync("cancel_now", payload)
    assert seen.payloads == []


@pytest.mark.parametrize("action_type", ["", "Cancel", "cancel ", "canсel", "__class__", SECRET])  # noqa: RUF001 - that is the attack
async def test_a_type_that_nobody_has_registered_is_refused(action_type: str) -> None:
    seen = Seen()
    with pytest.raises(CustomStreamError):
        await seen.call(action_type, {"order": 7})
    with pytest.raises(InvalidRequestError):
        await seen.call_sync(action_type, {"order": 7})
    assert seen.payloads == []


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_what_is_no_json_number_is_refused(number: float) -> None:
    class Price(BaseModel):
        amount: float

    seen = Seen()
    seen.router.on("price", Price)(seen.cancel)
    await seen.call("price", {"amount": 1.5})
    with pytest.raises(CustomStreamError):
        await seen.call("price", {"amount": number})
    assert seen.payloads == [Price(amount=1.5)]


async def test_a_type_that_streams_is_none_that_does_not() -> None:
    seen = Seen()
    with pytest.raises(CustomStreamError):
        await seen.call("cancel_now", {"order": 7})
    with pytest.raises(InvalidRequestError):
        await seen.call_sync("cancel", {"order": 7})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["order", "on"]), inner),
)


@settings(max_examples=50)
@given(payload=JSON | st.fixed_dictionaries({"order": JSON}))
async def test_any_payload_is_valid_or_refused(payload: Any) -> None:
    seen = Seen()
    try:
        await seen.call("cancel", payload)
    except CustomStreamError:
        assert seen.payloads == []
    else:
        (found,) = seen.payloads
        assert isinstance(found, Cancel)
        assert type(found.order) is int
        assert found.order > 0


async def test_a_payload_has_a_greatest_size_and_depth() -> None:
    class Anything(BaseModel):
        it: Any

    seen = Seen(max_bytes=100, max_depth=3)
    seen.router.on("anything", Anything)(seen.cancel)
    for payload in ({"it": "x" * 90}, {"it": nested(1)}):
        await seen.call("anything", payload)
    for payload in ({"it": "x" * 91}, {"it": nested(2)}):
        with pytest.raises(CustomStreamError):
            await seen.call("anything", payload)
    assert len(seen.payloads) == 2


@pytest.mark.parametrize("limit", [0, -1, True, "1", 1.5, None])
@pytest.mark.parametrize("name", ["max_bytes", "max_depth"])
def test_a_limit_is_a_positive_integer(name: str, limit: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a positive integer"):
        ActionRouter[Any](**{name: limit})


def test_what_cannot_work_is_refused_when_it_is_registered() -> None:
    seen = Seen()
    register = cast("Any", seen.router)
    for action_type in ("", None, 1):
        with pytest.raises(ConfigurationError, match="the type of an action must be a text"):
            register.on(action_type, Cancel)(seen.cancel)
    for model in (dict, None, Cancel(order=1)):
        with pytest.raises(ConfigurationError, match="must be a pydantic model"):
            register.on("new", model)(seen.cancel)
    with pytest.raises(ConfigurationError, match="there is a handler of 'cancel' already"):
        register.on("cancel", Cancel)(seen.cancel)
    with pytest.raises(ConfigurationError, match="must yield events"):
        register.on("new", Cancel)(seen.cancel_now)
    with pytest.raises(ConfigurationError, match="must return an answer"):
        register.on_sync("new", Cancel)(seen.cancel)


# ------------------------------------------------------------------------------------------------ in a server


class Server(ChatKitServer[RequestContext]):
    def __init__(self, seen: Seen) -> None:
        super().__init__(MemoryStore())
        self.seen = seen

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        yield ProgressUpdateEvent(text="never")

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.seen.router.stream(thread, action, sender, context)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> SyncCustomActionResponse:
        return await self.seen.router.answer(thread, action, sender, context)


async def served(name: str, action_type: str, payload: Any) -> tuple[Seen, Any]:
    seen = Seen()
    server = Server(seen)
    await server.store.save_thread(THREAD, cast("Any", None))
    app = LocaleMiddleware(ChatKitEndpoint(server), supported=["en", "de"])
    body = chatkit_request(name, thread_id="thr_1", action={"type": action_type, "payload": payload})
    return seen, await ChatKitClient(app, headers={"accept-language": "de"}).send(body)


async def test_a_user_is_told_in_their_language_within_a_stream() -> None:
    for action_type, payload in (("cancel", {"order": SECRET}), (SECRET, {})):
        seen, answer = await served("threads.custom_action", action_type, payload)
        assert answer.status == 200
        error = answer.events[-1]
        assert (error["type"], error["code"], error["allow_retry"]) == ("error", "custom", False)
        assert error["message"] not in {"", "The request is not valid."}
        assert SECRET.encode() not in answer.body
        assert seen.payloads == []


async def test_a_user_is_told_in_their_language_outside_of_a_stream() -> None:
    for action_type, payload in (("cancel_now", {"order": SECRET}), (SECRET, {})):
        seen, answer = await served("threads.sync_custom_action", action_type, payload)
        assert answer.status == 400
        assert answer.json()["code"] == "invalid_request"
        assert answer.json()["message"] != "The request is not valid."
        assert SECRET.encode() not in answer.body
        assert seen.payloads == []


async def test_what_is_valid_gets_through() -> None:
    seen, answer = await served("threads.custom_action", "cancel", {"order": 7})
    assert answer.events[-1]["text"] == "cancelled"
    seen_sync, answer = await served("threads.sync_custom_action", "cancel_now", {"order": 7})
    assert answer.status == 200
    assert seen.payloads == seen_sync.payloads == [Cancel(order=7)]


async def test_a_refusal_leaves_one_record_without_a_word_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for action_type, payload in (("cancel", {"order": SECRET}), (SECRET, {})):
        await served("threads.custom_action", action_type, payload)
    records: list[Any] = [record for record in caplog.records if record.name == "chatkit_prod.audit"]
    assert [record.chatkit["reason"] for record in records] == [
        "invalid payload of an action",
        "unknown action",
    ]
    assert {record.chatkit["operation"] for record in records} == {"threads.custom_action"}
    assert SECRET not in caplog.text


async def test_outside_of_a_request_the_text_is_english() -> None:
    with pytest.raises(CustomStreamError) as caught:
        await Seen().call("unknown", None)
    assert caught.value.message == "The request is not valid."
