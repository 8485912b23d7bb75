"""The endpoint answers POST requests of JSON, on its own or behind any layer, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chatkit.errors import CustomStreamError
from chatkit.store import NotFoundError, Store
from starlette.exceptions import HTTPException

from chatkit_prod import ChatKitEndpoint, ConfigurationError, RequestContext, RequestState
from chatkit_prod.asgi import Message
from chatkit_prod.errors import ForbiddenError
from chatkit_prod.layer import Layer
from chatkit_prod.operation import Operation
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, one_of_each
from tests.servers import (
    JSON,
    FullServer,
    ScriptedServer,
    Wire,
    bounded,
    every_request,
    furnish,
    hello,
    http_scope,
    signed_in_scope,
)

pytestmark = pytest.mark.anyio

CREATE, LIST = one_of_each()["threads.create"], one_of_each()["threads.list"]


class Noting(ScriptedServer):
    """Remembers the context that it got."""

    context: Any = None

    def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
        self.context = context
        return super().respond(thread, input_user_message, context)


@pytest.mark.parametrize("name", every_request())
@bounded
async def test_every_request_type_is_answered(name: str) -> None:
    store = MemoryStore()
    await furnish(store)
    scope, state = signed_in_scope()
    wire = await Wire(every_request()[name]).request(ChatKitEndpoint(FullServer(hello, store)), scope)
    assert wire.status == 200
    assert wire.headers["x-request-id"] == state.request_id
    assert b"secret" not in wire.body
    assert (state.operation.name, state.outcome) == (name, "completed")
    if state.operation.streaming:
        assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert wire.headers["cache-control"] == "no-cache, no-transform"
        assert wire.headers["x-accel-buffering"] == "no"
        assert "error" not in wire.types
    else:
        assert wire.headers["content-type"] == "application/json"
        assert wire.headers["cache-control"] == "no-store"
        assert wire.json is not None


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "X"])
@bounded
async def test_any_other_method_is_not_allowed(method: str) -> None:
    wire = await Wire(CREATE).request(ChatKitEndpoint(ScriptedServer(hello)), http_scope(method=method))
    assert (wire.status, wire.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(CREATE, [], 415, id="no content type"),
        pytest.param(CREATE, [(b"content-type", b"text/plain")], 415, id="another content type"),
        pytest.param(b"{", JSON, 400, id="invalid"),
        pytest.param(CREATE + b" " * 1000, JSON, 413, id="too large"),
        pytest.param(one_of_each()["threads.add_user_message"], JSON, 404, id="absent thread of a stream"),
        pytest.param(one_of_each()["threads.get_by_id"], JSON, 404, id="absent thread"),
    ],
)
@bounded
async def test_a_refusal_has_its_status_before_anything_is_sent(
    body: bytes, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    app = ChatKitEndpoint(ScriptedServer(hello), max_body_bytes=1000)
    scope, state = RequestState.seed(http_scope(headers=headers))
    wire = await Wire(body).request(app, scope)
    assert wire.status == wire.json["status"] == status
    assert wire.headers["x-request-id"] == wire.json["request_id"] == state.request_id
    assert state.outcome == "refused"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
@bounded
async def test_what_is_not_http_is_declined(kind: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.shutdown"}

    async def send(message: Message) -> None:
        sent.append(message)

    await ChatKitEndpoint(ScriptedServer(hello))({"type": kind}, receive, send)
    assert len(sent) == 1


@bounded
async def test_a_client_that_goes_away_in_its_own_body_gets_no_answer() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    wire = Wire()
    scope, state = signed_in_scope()
    await ChatKitEndpoint(ScriptedServer(hello))(scope, receive, wire.send)
    assert wire.sent == []
    assert state.outcome == "cancelled"


@bounded
async def test_a_layer_behind_reads_the_connection_that_the_endpoint_has_seen() -> None:
    scope, state = signed_in_scope()
    await Wire(LIST).request(ChatKitEndpoint(ScriptedServer(hello)), scope)
    assert state.connection.headers["content-type"] == "application/json"
    assert state.connection.scope is scope


def test_the_endpoint_is_the_innermost_layer() -> None:
    assert ChatKitEndpoint.layer is max(Layer)


# ------------------------------------------------------------------------------------------------ the context


@bounded
async def test_without_a_factory_the_server_gets_a_request_context() -> None:
    server = Noting(hello)
    scope, state = signed_in_scope()
    await Wire(CREATE).request(ChatKitEndpoint(server), scope)
    assert isinstance(server.context, RequestContext)
    assert server.context.user_id == "user_1"
    assert server.context.request_id == state.request_id


def _sync(state: RequestState) -> str:
    return f"{state.principal.subject} asks for {state.operation.name}"


async def _async(state: RequestState) -> str:
    await asyncio.sleep(0)
    return _sync(state)


@pytest.mark.parametrize("factory", [_sync, _async])
@bounded
async def test_a_factory_makes_the_context_when_the_request_is_known(
    factory: Callable[[RequestState], str | Awaitable[str]],
) -> None:
    server = Noting(hello)
    scope, _ = signed_in_scope()
    await Wire(CREATE).request(ChatKitEndpoint(server, context_factory=factory), scope)
    assert server.context == "user_1 asks for threads.create"


@pytest.mark.parametrize("body", [CREATE, LIST], ids=["stream", "json"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ForbiddenError(), 403),
        (NotFoundError(), 404),
        (HTTPException(402), 402),
        (HTTPException(429, headers={"retry-after": "5"}), 429),
    ],
    ids=repr,
)
@bounded
async def test_what_a_factory_refuses_is_refused_for_every_request(
    body: bytes, error: Exception, status: int
) -> None:
    def factory(state: RequestState) -> None:
        raise error

    wire = await Wire(body).request(ChatKitEndpoint(ScriptedServer(hello), context_factory=factory))
    assert wire.status == status


@bounded
async def test_a_factory_that_reads_what_no_layer_has_set_is_an_internal_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = ChatKitEndpoint(ScriptedServer(hello), context_factory=lambda state: state.locale)
    wire = await Wire(LIST).request(app)
    assert wire.status == 500
    assert "ConfigurationError" in caplog.text


def test_an_option_that_does_not_exist_is_named_when_the_app_is_built() -> None:
    options: dict[str, Any] = {"max_body_byte": 1}
    with pytest.raises(ConfigurationError, match="there is no option max_body_byte"):
        ChatKitEndpoint(ScriptedServer(hello), **options)


# ------------------------------------------------------------------------------------------------ the gate


class GatedStore(DelegatingStore[Any]):
    """A store with a gate that notes when it is asked, and refuses on demand.

    Args:
        notes: Where to.
        refusal: What the gate raises, if anything.
    """

    def __init__(self, notes: list[str], refusal: Exception | None) -> None:
        super().__init__(MemoryStore())
        self._notes = notes
        self._refusal = refusal

    @property
    def gate(self) -> "GatedStore":
        return self

    async def admit(self, operation: Operation, context: Any, /) -> None:
        state = RequestState.current()
        assert state is not None
        assert (state.operation, state.context) == (operation, context)
        self._notes.append(f"gate: {operation.name} for {context}")
        if self._refusal is not None:
            raise self._refusal


class NotingServer(ScriptedServer):
    """Notes when it runs.

    Args:
        notes: Where to.
        store: Where it keeps threads.
    """

    def __init__(self, notes: list[str], store: Store[Any]) -> None:
        super().__init__(hello, store)
        self._notes = notes

    async def process(self, request: Any, context: Any) -> Any:
        self._notes.append("server")
        return await super().process(request, context)


def _gated(notes: list[str], refusal: Exception | None = None) -> ChatKitEndpoint[str]:
    store = DelegatingStore(GatedStore(notes, refusal))
    return ChatKitEndpoint(NotingServer(notes, store), context_factory=lambda state: state.principal.subject)


GATED = pytest.mark.parametrize(
    ("body", "name"), [(CREATE, "threads.create"), (LIST, "threads.list")], ids=["stream", "json"]
)


@GATED
@bounded
async def test_the_gate_of_the_store_is_asked_before_the_server_runs(body: bytes, name: str) -> None:
    notes: list[str] = []
    scope, state = signed_in_scope()
    wire = await Wire(body).request(_gated(notes), scope)
    assert (wire.status, state.outcome) == (200, "completed")
    assert notes == [f"gate: {name} for user_1", "server"]
    assert RequestState.current() is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ForbiddenError(), 403),
        (NotFoundError("thr_1 of bob"), 404),
        (HTTPException(429, headers={"retry-after": "5"}), 429),
    ],
    ids=lambda value: type(value).__name__,
)
@GATED
@bounded
async def test_what_the_gate_refuses_never_reaches_the_server(
    body: bytes, name: str, error: Exception, status: int
) -> None:
    notes: list[str] = []
    scope, state = signed_in_scope()
    wire = await Wire(body).request(_gated(notes, error), scope)
    assert wire.status == wire.json["status"] == status
    assert b"bob" not in wire.body
    assert notes == [f"gate: {name} for user_1"]
    assert state.outcome == "refused"


@pytest.mark.parametrize(
    "error", [CustomStreamError("Revenez demain."), ValueError("what a person wrote")], ids=["custom", "any"]
)
@bounded
async def test_what_else_a_gate_raises_is_an_event_of_a_stream_and_a_problem_of_everything_else(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    custom = isinstance(error, CustomStreamError)
    notes: list[str] = []
    scope, state = signed_in_scope()
    stream = await Wire(CREATE).request(_gated(notes, error), scope)
    assert (stream.status, stream.types) == (200, ["error"])
    assert state.outcome == "error"
    scope, _ = signed_in_scope()
    answer = await Wire(LIST).request(_gated(notes, error), scope)
    assert answer.status == (400 if custom else 500)
    if custom:
        assert stream.events[0]["message"] == answer.json["message"] == "Revenez demain."
    assert "what a person wrote" not in caplog.text + (stream.body + answer.body).decode()
    assert "server" not in notes


@bounded
async def test_what_is_no_request_never_reaches_the_gate() -> None:
    notes: list[str] = []
    for body in (b"{", CREATE + b" " * 5_000_000):
        assert (await Wire(body).request(_gated(notes))).status in (400, 413)
    assert notes == []
