"""Every way in which a server can fail has one answer, and a stream never answers with a 5xx."""

from collections.abc import AsyncGenerator, AsyncIterator
from gettext import NullTranslations
from typing import Any

import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import NonStreamingResult, StreamingResult
from chatkit.store import NotFoundError
from chatkit.types import SyncCustomActionResponse, ThreadMetadata
from starlette.exceptions import HTTPException

from chatkit_prod import ChatKitEndpoint, ConfigurationError
from chatkit_prod.exchange import EndpointOptions, Exchange
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, chatkit_request, one_of_each, user_message
from tests.servers import (
    FullServer,
    ScriptedServer,
    Wire,
    bounded,
    every_request,
    forever,
    furnish,
    hello,
    hidden_items,
    signed_in_scope,
)

pytestmark = pytest.mark.anyio

QUOTED = "what a user wrote".replace("user", "person")


class Shouting(NullTranslations):
    """A catalog in upper case."""

    def gettext(self, message: str) -> str:
        return message.upper()


class Failing(DelegatingStore[Any]):
    """A store that cannot be reached.

    Args:
        error: What every call of it raises.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(MemoryStore())
        self._error = error

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        raise self._error

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        raise self._error


# ------------------------------------------------------------------------------------------------ construction


def test_only_a_chatkit_server_can_be_wrapped() -> None:
    with pytest.raises(ConfigurationError, match="server must be a ChatKitServer, not a str"):
        Exchange("server", {})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["keep_alive", "cancel_grace"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "1", None, True], ids=repr)
def test_a_time_is_a_positive_number_of_seconds(name: str, value: Any) -> None:
    options: Any = {name: value}
    with pytest.raises(ConfigurationError, match=f"{name} must be a positive number of seconds"):
        Exchange(ScriptedServer(hello), options)


def test_a_limit_is_checked_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="max_page_size"):
        Exchange(ScriptedServer(hello), {"max_page_size": 0})


def test_every_documented_option_is_one_and_every_option_is_documented() -> None:
    documented = (EndpointOptions.__doc__ or "").split("Keys:")[1].split()
    assert {word.removesuffix(":") for word in documented if word.endswith(":")} == set(
        EndpointOptions.__annotations__
    )
    everything: Any = dict.fromkeys(EndpointOptions.__annotations__, 1) | {"end_at_expiry": True}
    Exchange(ScriptedServer(hello), everything)


# ------------------------------------------------------------------------------------------------ errors


ERRORS: list[Any] = [
    pytest.param(NotFoundError(QUOTED), 404, 404, "refused", id="absent"),
    pytest.param(HTTPException(409, QUOTED), 409, 409, "refused", id="refused by the app"),
    pytest.param(CustomStreamError("Revenez demain."), 400, 200, "error", id="custom"),
    pytest.param(StreamError(ErrorCode.STREAM_ERROR), 500, 200, "error", id="stream error"),
    pytest.param(HTTPException(503, QUOTED), 500, 200, "error", id="unavailable"),
    pytest.param(ValueError(QUOTED), 500, 200, "error", id="any other"),
]


@pytest.mark.parametrize(("error", "status", "_stream_status", "outcome"), ERRORS)
@bounded
async def test_an_error_of_the_store_is_a_problem(
    error: Exception, status: int, _stream_status: int, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    scope, state = signed_in_scope()
    app = ChatKitEndpoint(ScriptedServer(hello, Failing(error)))
    wire = await Wire(one_of_each()["threads.get_by_id"]).request(app, scope)
    assert wire.status == wire.json["status"] == status
    assert wire.headers["content-type"] == "application/problem+json"
    assert state.outcome == outcome
    assert QUOTED not in caplog.text + wire.body.decode()
    assert (f"request {state.request_id} failed" in caplog.text) == (wire.json["code"] == "internal_error")


@pytest.mark.parametrize("name", ["threads.create", "threads.add_user_message"])
@pytest.mark.parametrize(("error", "_status", "status", "outcome"), ERRORS)
@bounded
async def test_an_error_of_the_store_before_the_first_event_is_an_event_or_a_refusal(
    name: str, error: Exception, _status: int, status: int, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    scope, state = signed_in_scope()
    wire = await Wire(one_of_each()[name]).request(
        ChatKitEndpoint(ScriptedServer(hello, Failing(error))), scope
    )
    assert wire.status == status
    assert state.outcome == outcome
    assert QUOTED not in caplog.text + wire.body.decode()
    if status == 200:
        assert wire.types == ["error"]
        assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert wire.headers["x-request-id"] == state.request_id
        assert int(wire.headers["content-length"]) == len(wire.body)
        assert state.error_type == type(error).__name__
        if isinstance(error, CustomStreamError):
            assert wire.events[0]["message"] == error.message


@bounded
async def test_a_foreign_thread_answers_exactly_like_an_absent_one() -> None:
    class ForeignError(NotFoundError):
        """What a store may raise for the thread of somebody else."""

    bodies: list[bytes] = []
    for error in (NotFoundError("absent"), ForeignError("belongs to alice")):
        scope, state = signed_in_scope()
        state.request_id = "0"
        app = ChatKitEndpoint(ScriptedServer(hello, Failing(error)))
        wire = await Wire(one_of_each()["threads.add_user_message"]).request(app, scope)
        bodies.append(repr(wire.sent).encode())
    assert bodies[0] == bodies[1]


@bounded
async def test_a_retry_after_an_absent_item_is_not_found() -> None:
    store = MemoryStore()
    await furnish(store)
    body = one_of_each(item_id="msg_absent")["threads.retry_after_item"]
    wire = await Wire(body).request(ChatKitEndpoint(FullServer(hello, store)))
    assert wire.status == 404


def _public(chunks: list[bytes]) -> ScriptedServer:
    """Return a server that answers every stream with these bytes."""

    class Own(ScriptedServer):
        async def process(self, request: str | bytes | bytearray, context: Any) -> StreamingResult:
            async def stream() -> AsyncGenerator[bytes, None]:
                for chunk in chunks:
                    yield chunk

            return StreamingResult(stream())

    return Own(hello)


@bounded
async def test_any_other_stream_without_an_event_is_an_error() -> None:
    wire = await Wire(one_of_each()["threads.create"]).request(ChatKitEndpoint(_public([])))
    assert wire.status == 200
    assert wire.types == ["error"]


@bounded
async def test_a_server_that_answers_json_to_a_stream_is_an_internal_error() -> None:
    wire = await Wire(one_of_each()["threads.list"]).request(ChatKitEndpoint(_public([])))
    assert wire.status == 500


# ------------------------------------------------------------------------------------------------ orphans

WITH_ABSENT = chatkit_request("threads.create", input=user_message("Hello", attachments=["atc_absent"]))


@bounded
async def test_a_thread_for_a_message_that_could_not_be_stored_is_deleted() -> None:
    store = MemoryStore()
    wire = await Wire(WITH_ABSENT).request(ChatKitEndpoint(ScriptedServer(hello, store)))
    assert wire.status == 404
    assert (await store.load_threads(10, None, "asc", None)).data == []


@bounded
async def test_a_thread_that_cannot_be_deleted_is_left_behind_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Keeping(DelegatingStore[Any]):
        async def delete_thread(self, thread_id: str, context: Any) -> None:
            raise ValueError(QUOTED)

    wire = await Wire(WITH_ABSENT).request(ChatKitEndpoint(ScriptedServer(hello, Keeping(MemoryStore()))))
    assert wire.status == 404
    assert "left an empty thread behind" in caplog.text
    assert QUOTED not in caplog.text


@bounded
async def test_a_thread_that_was_there_before_is_never_deleted() -> None:
    store = MemoryStore()
    await furnish(store)
    message = user_message("Hello", attachments=["atc_absent"])
    body = chatkit_request("threads.add_user_message", thread_id="thr_1", input=message)
    wire = await Wire(body).request(ChatKitEndpoint(ScriptedServer(hello, store)))
    assert wire.status == 404
    assert (await store.load_thread("thr_1", None)).id == "thr_1"


# ------------------------------------------------------------------------------------------------ hidden items


@pytest.mark.parametrize("item", hidden_items("thr_1"), ids=lambda item: item.type)
@bounded
async def test_the_answer_of_an_action_does_not_carry_a_hidden_item(item: Any) -> None:
    class Leaking(FullServer):
        async def sync_action(self, *args: Any, **kwargs: Any) -> SyncCustomActionResponse:
            return SyncCustomActionResponse(updated_item=item)

    store = MemoryStore()
    await furnish(store)
    wire = await Wire(every_request()["threads.sync_custom_action"]).request(
        ChatKitEndpoint(Leaking(hello, store))
    )
    assert (wire.status, wire.body) == (200, b"{}")


@bounded
async def test_an_answer_in_which_a_hidden_item_cannot_be_looked_for_does_not_leave() -> None:
    class Own(ScriptedServer):
        async def process(self, request: str | bytes | bytearray, context: Any) -> NonStreamingResult:
            return NonStreamingResult(b'{"updated_item":{"type":"sdk_hidden_context"')

    wire = await Wire(one_of_each()["threads.list"]).request(ChatKitEndpoint(Own(hello)))
    assert wire.status == 500
    assert b"hidden" not in wire.body


@bounded
async def test_a_stream_in_which_a_hidden_item_cannot_be_looked_for_ends_with_an_error() -> None:
    chunks = [b'data: {"type":"notice"}\n\n', b'data: {"item":{"type":"sdk_hidden_context"\n\n']
    wire = await Wire(one_of_each()["threads.create"]).request(ChatKitEndpoint(_public(chunks)))
    assert wire.types == ["notice", "error"]
    assert b"hidden" not in wire.body


# ------------------------------------------------------------------------------------------------ the clock


@pytest.mark.parametrize("expires_in", [None, 3600, 9e11])
@bounded
async def test_a_credential_that_lasts_does_not_end_a_stream(expires_in: float | None) -> None:
    scope, state = signed_in_scope(expires_in=expires_in)
    await Wire(one_of_each()["threads.create"]).request(ChatKitEndpoint(ScriptedServer(hello)), scope)
    assert state.outcome == "completed"


@bounded
async def test_a_credential_that_ends_ends_the_stream_in_the_users_language() -> None:
    async def endless(thread: ThreadMetadata) -> AsyncIterator[Any]:
        async for event in hello(thread):
            yield event
        await forever()

    scope, state = signed_in_scope(expires_in=0.02)
    state.translations = Shouting()
    wire = await Wire(one_of_each()["threads.create"]).request(
        ChatKitEndpoint(ScriptedServer(endless)), scope
    )
    assert wire.events[-1]["message"] == "YOUR SESSION HAS ENDED. SIGN IN AGAIN."
    assert state.outcome == "expired"
