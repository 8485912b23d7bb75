"""What a server does has spans, whatever kind of server it is, and the server does the same as before."""

import asyncio
import gc
import inspect
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult
from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem, WidgetItem
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from opentelemetry.trace import StatusCode, get_current_span

from chatkit_prod import ChatKitEndpoint, ConfigurationError
from chatkit_prod.asgi import ASGIApp, Message
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware, instrument_server
from chatkit_prod.tracing.store import TracedAttachmentStore, TracedStore
from tests.servers import (
    FullServer,
    Script,
    ScriptedServer,
    Wire,
    added,
    bounded,
    delta,
    done,
    every_request,
    forever,
    furnish,
    hello,
    markers,
    stored_items,
    texts,
)
from tests.tracing.recording import Recorder, attributes, is_child, recorded
from tests.tracing.requests_traced import current, traced_request

pytestmark = pytest.mark.anyio

CREATE = chatkit_request("threads.create", input=user_message("Hello"))
METHODS = ("respond", "action", "sync_action", "transcribe", "add_feedback")
UNSEEN = "unseen words".replace(" ", "-")  # not in the source, which a stack quotes

# Which of the app's methods each operation calls.
CALLED = {
    "threads.create": "respond",
    "threads.add_user_message": "respond",
    "threads.add_client_tool_output": "respond",
    "threads.add_structured_input": "respond",
    "threads.retry_after_item": "respond",
    "threads.custom_action": "action",
    "threads.sync_custom_action": "sync_action",
    "input.transcribe": "transcribe",
    "items.feedback": "add_feedback",
}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def instrumented(server: ChatKitServer[Any], recorder: Recorder) -> ChatKitServer[Any]:
    instrument_server(server, tracer_provider=recorder.tracers, meter_provider=recorder.meters)
    return server


def around(app: ASGIApp, recorder: Recorder) -> ASGIApp:
    return TracingMiddleware(app, tracer_provider=recorder.tracers, meter_provider=recorder.meters)


def traced(server: ChatKitServer[Any], recorder: Recorder) -> ASGIApp:
    return around(ChatKitEndpoint(instrumented(server, recorder)), recorder)


def bare(server: ChatKitServer[Any], recorder: Recorder) -> ASGIApp:
    """Return the handler of the official guide, under our tracing and nothing else of ours."""
    app = FastAPI()

    @app.post("/chatkit")
    async def chatkit(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        result = await server.process(await request.body(), {})
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(result.json, media_type="application/json")

    return around(app, recorder)


def after(*events: Callable[[ThreadMetadata], ThreadStreamEvent], error: BaseException) -> Script:
    """Return a script that fails behind some events."""

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        for event in events:
            yield event(thread)
        raise error

    return script


# ------------------------------------------------------------------------------------------------ every operation


@pytest.mark.parametrize("operation", every_request(), ids=str)
async def test_every_operation_has_a_span_and_so_has_what_it_calls(
    recorder: Recorder, operation: str
) -> None:
    store = MemoryStore()
    await furnish(store)
    wire = await Wire(every_request()[operation]).request(traced(FullServer(hello, store), recorder))
    assert wire.status == 200
    process, request = recorder.span("chatkit.process"), recorder.span(operation)
    assert attributes(process)["chatkit.operation"] == operation
    assert is_child(process, request)
    called = CALLED.get(operation)
    ours = {f"chatkit.{name}" for name in METHODS} & {*recorder.names}
    assert ours == ({f"chatkit.{called}"} if called else set())
    for name in ours:
        assert is_child(recorder.span(name), process)
        thread = attributes(recorder.span(name)).get("gen_ai.conversation.id")
        assert (thread is None) == (called == "transcribe")
        assert thread in {None, attributes(request).get("gen_ai.conversation.id")}
    for span in recorder.spans:
        if span.name.startswith("store."):
            assert any(is_child(span, recorder.span(name)) for name in ("chatkit.process", *ours))
    assert {span.status.status_code for span in recorder.spans} == {StatusCode.UNSET}


def test_every_operation_is_tested_here() -> None:
    assert CALLED.keys() <= every_request().keys()
    assert len(every_request()) == 16


async def test_calls_of_the_store_stand_under_the_method_that_makes_them(recorder: Recorder) -> None:
    class Titling(ScriptedServer):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
        ) -> AsyncIterator[ThreadStreamEvent]:
            await self.store.load_thread(thread.id, context)
            yield done(thread, "Hello")

    await Wire(CREATE).request(traced(Titling(hello), recorder))
    assert is_child(recorder.span("store.load_thread"), recorder.span("chatkit.respond"))


# ------------------------------------------------------------------------------------------------ kinds of servers


def test_whatever_is_no_server_is_refused() -> None:
    wrong: Any = ScriptedServer
    with pytest.raises(ConfigurationError, match="not the class ScriptedServer"):
        instrument_server(wrong)


def test_the_methods_keep_their_names_and_signatures(recorder: Recorder) -> None:
    plain, server = FullServer(hello, MemoryStore()), FullServer(hello, MemoryStore())
    instrumented(server, recorder)
    for name in (*METHODS, "_process_streaming_impl", "_process_non_streaming"):
        before, now = getattr(plain, name), getattr(server, name)
        assert inspect.signature(now) == inspect.signature(before)
        assert (now.__name__, now.__doc__, now.__wrapped__) == (
            name,
            before.__doc__,
            getattr(FullServer, name).__get__(server),
        )


def test_a_second_time_changes_nothing(recorder: Recorder) -> None:
    server = instrumented(FullServer(hello, MemoryStore()), recorder)
    before = dict(vars(server))
    instrumented(server, recorder)
    assert vars(server) == before
    assert isinstance(server.store, TracedStore)
    assert not isinstance(server.store.inner, TracedStore)


def test_two_servers_are_two_even_if_they_are_equal_or_cannot_be_hashed(recorder: Recorder) -> None:
    @dataclass
    class Data(FullServer):
        name: str = ""

        def __post_init__(self) -> None:
            super().__init__(hello, MemoryStore())

    one, other = Data(), Data()
    for server in (one, other):
        assert isinstance(instrumented(server, recorder).store, TracedStore)


def test_stores_that_are_traced_already_are_not_traced_twice(recorder: Recorder) -> None:
    server = FullServer(hello, MemoryStore())
    files: AttachmentStore[Any] | None = server.attachment_store
    assert files
    store, attachments = TracedStore(server.store), TracedAttachmentStore(files)
    server.store, server.attachment_store = store, attachments
    instrumented(server, recorder)
    assert server.store is store
    assert server.attachment_store is attachments


def test_a_server_without_files_stays_so(recorder: Recorder) -> None:
    assert instrumented(ScriptedServer(hello), recorder).attachment_store is None


def test_a_server_that_is_gone_is_forgotten(recorder: Recorder) -> None:
    gone = weakref.ref(instrumented(ScriptedServer(hello), recorder))
    gc.collect()
    assert gone() is None


async def test_a_release_of_chatkit_without_one_of_the_methods_is_instrumented_in_the_rest(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ChatKitServer, "sync_action")
    server = instrumented(ScriptedServer(hello), recorder)
    await Wire(CREATE).request(around(ChatKitEndpoint(server), recorder))
    assert "chatkit.respond" in recorder.names


async def test_a_server_with_its_own_process_is_traced_in_all_that_it_calls(recorder: Recorder) -> None:
    class Own(ScriptedServer):
        async def process(
            self, request: str | bytes | bytearray, context: Any
        ) -> StreamingResult | NonStreamingResult:
            return await super().process(request, context)

    wire = await Wire(CREATE).request(traced(Own(hello), recorder))
    assert wire.types[-1] == "thread.item.done"
    assert is_child(recorder.span("chatkit.process"), recorder.span("threads.create"))
    assert is_child(recorder.span("chatkit.respond"), recorder.span("chatkit.process"))


async def test_a_process_that_passes_everything_by_leaves_the_spans_of_what_it_calls(
    recorder: Recorder,
) -> None:
    class Own(ScriptedServer):
        async def process(
            self, request: str | bytes | bytearray, context: Any
        ) -> StreamingResult | NonStreamingResult:
            return NonStreamingResult(b"{}")

    server = instrumented(Own(hello), recorder)
    await Wire(chatkit_request("threads.list")).request(around(ChatKitEndpoint(server), recorder))
    assert recorder.names == ["threads.list"]


class _Iterator:
    """What is no generator."""

    def __init__(self, events: AsyncIterator[ThreadStreamEvent]) -> None:
        self._events = events

    def __aiter__(self) -> AsyncIterator[ThreadStreamEvent]:
        return self

    async def __anext__(self) -> ThreadStreamEvent:
        return await anext(self._events)


def iterating(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    """Say hello, by an iterator."""
    return _Iterator(hello(thread))


@pytest.mark.parametrize("script", [hello, iterating], ids=["a generator", "an iterator"])
async def test_a_respond_that_is_a_function_may_return_any_iterator(
    recorder: Recorder, script: Script
) -> None:
    wire = await Wire(CREATE).request(traced(ScriptedServer(script), recorder))
    assert wire.types[-1] == "thread.item.done"
    assert attributes(recorder.span("chatkit.respond")).keys() == {"gen_ai.conversation.id"}


async def test_a_request_of_which_nobody_wants_to_know_is_answered_all_the_same(recorder: Recorder) -> None:
    with current(traced_request(recorder, is_wanted=False)):
        for body in every_request().values():
            store = MemoryStore()
            await furnish(store)
            endpoint = ChatKitEndpoint(instrumented(FullServer(hello, store), recorder))
            assert (await Wire(body).request(endpoint)).status == 200
    assert recorder.names == ["request"]


async def test_outside_of_a_request_a_server_is_traced_as_well(recorder: Recorder) -> None:
    """As in a job of the app's, or under an instrumentation that is none of ours."""
    server = instrumented(ScriptedServer(hello), recorder)
    for body in (CREATE, chatkit_request("threads.list")):
        result = await server.process(body, {})
        if isinstance(result, StreamingResult):
            assert [chunk async for chunk in result]
    assert recorder.names.count("chatkit.process") == 2
    assert recorder.span("chatkit.respond").status.status_code is StatusCode.UNSET


# ------------------------------------------------------------------------------------------------ failures


FAILURES = {
    "an exception": RuntimeError(UNSEEN),
    "a StreamError": StreamError(ErrorCode.STREAM_ERROR),
    "a CustomStreamError": CustomStreamError(UNSEEN),
    "something absent": NotFoundError(UNSEEN),
}


@pytest.mark.parametrize("handler", [traced, bare], ids=["endpoint", "guide"])
@pytest.mark.parametrize("events", [(), (added,)], ids=["before the first event", "behind it"])
@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
async def test_the_exception_behind_an_error_event_is_recorded_once_and_named_by_the_request(
    recorder: Recorder,
    handler: Callable[[ChatKitServer[Any], Recorder], ASGIApp],
    events: tuple[Callable[[ThreadMetadata], ThreadStreamEvent], ...],
    error: Exception,
) -> None:
    server = instrumented(ScriptedServer(after(*events, error=error)), recorder)
    wire = await Wire(CREATE).request(handler(server, recorder))
    assert (wire.status, wire.types[-1]) == (200, "error")
    name = type(error).__name__
    assert recorded(recorder.spans) == {("chatkit.respond", name): 1}
    assert attributes(recorder.span("chatkit.respond"))["error.type"] == name
    request = recorder.span("threads.create")
    assert attributes(request)["error.type"] == name
    assert attributes(request)["chatkit.outcome"] == "error"
    assert request.status.status_code is StatusCode.ERROR
    assert not any(UNSEEN in span.to_json() for span in recorder.spans)


class Failing(DelegatingStore[Any]):
    """Fails where a test wants it."""

    def __init__(self, inner: Store[Any], method: str) -> None:
        super().__init__(inner)
        self._method = method

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        if self._method == "load_thread":
            raise OSError(UNSEEN)
        return await super().load_thread(thread_id, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        if self._method == "add_thread_item" and not isinstance(item, UserMessageItem):
            raise OSError(UNSEEN)
        await super().add_thread_item(thread_id, item, context)


@pytest.mark.parametrize("handler", [traced, bare], ids=["endpoint", "guide"])
async def test_an_exception_is_recorded_once_from_the_store_to_the_request(
    recorder: Recorder, handler: Callable[[ChatKitServer[Any], Recorder], ASGIApp]
) -> None:
    """It passes the store, `respond`, which loads a thread, and becomes an event: with the store it is recorded."""

    class Loading(ScriptedServer):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
        ) -> AsyncIterator[ThreadStreamEvent]:
            yield added(thread)
            await self.store.load_thread(thread.id, context)

    server = instrumented(Loading(hello, Failing(MemoryStore(), "load_thread")), recorder)
    await Wire(CREATE).request(handler(server, recorder))
    assert recorded(recorder.spans) == {("store.load_thread", "OSError"): 1}
    failed = {span.name for span in recorder.spans if span.status.status_code is StatusCode.ERROR}
    assert failed == {"store.load_thread", "chatkit.respond", "threads.create"}
    assert {attributes(recorder.span(name))["error.type"] for name in failed} == {"OSError"}


async def test_an_exception_that_nobody_catches_is_recorded_once_as_well(recorder: Recorder) -> None:
    """It passes the store, `process` and the endpoint."""
    server = instrumented(FullServer(hello, Failing(MemoryStore(), "load_thread")), recorder)
    wire = await Wire(chatkit_request("threads.get_by_id", thread_id="thr_1")).request(
        around(ChatKitEndpoint(server), recorder)
    )
    assert wire.status == 500
    assert recorded(recorder.spans) == {("store.load_thread", "OSError"): 1}
    failed = {span.name for span in recorder.spans if span.status.status_code is StatusCode.ERROR}
    assert failed == {"store.load_thread", "chatkit.process", "threads.get_by_id"}


async def test_a_store_that_fails_behind_the_last_event_is_seen_as_well(recorder: Recorder) -> None:
    """ChatKit itself saves the answer then: `respond` knows nothing of it."""
    server = instrumented(ScriptedServer(hello, Failing(MemoryStore(), "add_thread_item")), recorder)
    wire = await Wire(CREATE).request(around(ChatKitEndpoint(server), recorder))
    assert wire.types[-1] == "error"
    assert recorded(recorder.spans) == {("store.add_thread_item", "OSError"): 1}
    assert attributes(recorder.span("threads.create"))["error.type"] == "OSError"


async def test_an_exception_that_the_app_has_got_over_is_no_failure_of_the_request(
    recorder: Recorder,
) -> None:
    class Careful(ScriptedServer):
        async def respond(
            self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
        ) -> AsyncIterator[ThreadStreamEvent]:
            with suppress(OSError):
                await self.store.load_thread(thread.id, context)
            yield done(thread, "Hello")

    server = instrumented(Careful(hello, Failing(MemoryStore(), "load_thread")), recorder)
    await Wire(CREATE).request(around(ChatKitEndpoint(server), recorder))
    assert attributes(recorder.span("threads.create"))["chatkit.outcome"] == "completed"
    assert recorder.span("threads.create").status.status_code is StatusCode.UNSET
    assert recorder.span("store.load_thread").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("method", ["sync_action", "transcribe", "add_feedback"])
async def test_an_exception_of_a_method_that_does_not_stream_is_recorded_with_it(
    recorder: Recorder, method: str
) -> None:
    async def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError(UNSEEN)

    store = MemoryStore()
    await furnish(store)
    server = FullServer(hello, store)
    setattr(server, method, failing)
    operation = next(name for name, called in CALLED.items() if called == method)
    wire = await Wire(every_request()[operation]).request(traced(server, recorder))
    assert wire.status == 500
    assert recorded(recorder.spans) == {(f"chatkit.{method}", "RuntimeError"): 1}


@pytest.mark.parametrize("handler", [traced, bare], ids=["endpoint", "guide"])
async def test_a_respond_that_raises_instead_of_returning_an_iterator_is_told(
    recorder: Recorder, handler: Callable[[ChatKitServer[Any], Recorder], ASGIApp]
) -> None:
    def broken(_: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        raise RuntimeError(UNSEEN)

    server = instrumented(ScriptedServer(broken), recorder)
    wire = await Wire(CREATE).request(handler(server, recorder))
    assert wire.types[-1] == "error"
    assert recorded(recorder.spans) == {("chatkit.respond", "RuntimeError"): 1}


async def test_the_logs_of_chatkit_tell_the_type_and_not_the_text(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await Wire(CREATE).request(traced(ScriptedServer(after(error=RuntimeError(UNSEEN))), recorder))
    assert "RuntimeError" in caplog.text
    assert UNSEEN not in caplog.text


# ------------------------------------------------------------------------------------------------ the end


async def half(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    """Say half a word and wait."""
    yield added(thread)
    yield delta("Hel")
    await forever()


class Saving(ScriptedServer):
    """Knows which span was current when a partial answer was saved."""

    def __init__(self, script: Script, store: Store[Any]) -> None:
        super().__init__(script, store)
        self.saved_in = list[str]()

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Any
    ) -> None:
        self.saved_in.append(str(getattr(get_current_span(), "name", "")))
        await super().handle_stream_cancelled(thread, pending_items, context)


@pytest.mark.parametrize("handler", [traced, bare], ids=["endpoint", "guide"])
@bounded
async def test_a_partial_answer_is_saved_when_its_user_leaves_and_its_spans_end(
    recorder: Recorder, handler: Callable[[ChatKitServer[Any], Recorder], ASGIApp]
) -> None:
    async def leave(message: Message) -> None:
        if b"text_delta" in bytes(message.get("body", b"")):
            wire.gone.set()

    store, wire = MemoryStore(), Wire(CREATE, on_send=leave)
    server = Saving(half, store)
    await wire.request(handler(instrumented(server, recorder), recorder))
    items = await stored_items(store)
    assert (texts(items), markers(items)) == (["Hel"], 1)
    assert len(server.saved_in) == 1
    for name in ("chatkit.respond", "chatkit.process", "threads.create"):
        assert attributes(recorder.span(name))["chatkit.outcome"] == "cancelled"
        assert recorder.span(name).status.status_code is StatusCode.UNSET
    assert recorded(recorder.spans) == {}
    assert all(span.status.status_code is StatusCode.UNSET for span in recorder.spans)


async def test_a_stream_that_is_closed_early_ends_its_spans(recorder: Recorder) -> None:
    server = instrumented(ScriptedServer(hello), recorder)
    result = await server.process(CREATE, {})
    assert isinstance(result, StreamingResult)
    async with aclosing(_generator_of(result)) as chunks:
        await anext(chunks)
    for _ in range(10):  # ChatKit does not close what it iterates: the event loop does
        await asyncio.sleep(0)
    assert attributes(recorder.span("chatkit.process"))["chatkit.outcome"] == "cancelled"


async def test_a_respond_that_is_closed_early_ends_its_span(recorder: Recorder) -> None:
    thread = ThreadMetadata.model_validate({"id": "thr_1", "created_at": "2026-01-02T03:04:05"})
    events: Any = instrumented(ScriptedServer(hello), recorder).respond(thread, None, {})
    await anext(events)
    await events.aclose()
    assert attributes(recorder.span("chatkit.respond")) == {
        "chatkit.outcome": "cancelled",
        "gen_ai.conversation.id": "thr_1",
    }


def _generator_of(result: StreamingResult) -> AsyncGenerator[bytes]:
    chunks: Any = result.json_events
    generator: AsyncGenerator[bytes] = chunks
    return generator


# ------------------------------------------------------------------------------------------------ the guide's handler


@pytest.mark.parametrize("operation", every_request(), ids=str)
async def test_the_handler_of_the_guide_gets_the_right_operation_and_outcome(
    recorder: Recorder, operation: str
) -> None:
    store = MemoryStore()
    await furnish(store)
    server = instrumented(FullServer(hello, store), recorder)
    await Wire(every_request()[operation]).request(bare(server, recorder))
    request = recorder.span(operation)
    assert attributes(request)["chatkit.operation"] == operation
    assert attributes(request)["chatkit.outcome"] == "completed"
    assert attributes(request)["http.route"] == "/chatkit"
    assert is_child(recorder.span("chatkit.process"), request)


async def test_an_exception_that_leaves_the_handler_of_the_guide_is_an_error(recorder: Recorder) -> None:
    server = instrumented(FullServer(hello, Failing(MemoryStore(), "load_thread")), recorder)
    with pytest.raises(OSError, match=UNSEEN):
        await Wire(chatkit_request("threads.get_by_id", thread_id="thr_1")).request(bare(server, recorder))
    assert recorded(recorder.spans) == {("store.load_thread", "OSError"): 1}
    request = recorder.span("threads.get_by_id")
    assert attributes(request)["chatkit.outcome"] == "error"
    assert attributes(request)["error.type"] == "OSError"
    assert attributes(request)["http.response.status_code"] == 500


async def test_the_sender_of_an_action_reaches_the_app_as_before(recorder: Recorder) -> None:
    seen = list[Any]()

    class Acting(FullServer):
        def action(
            self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
        ) -> AsyncIterator[ThreadStreamEvent]:
            seen.append((thread.id, action.type, sender))
            return self.script(thread)

    store = MemoryStore()
    await furnish(store)
    wire = await Wire(every_request()["threads.custom_action"]).request(
        traced(Acting(hello, store), recorder)
    )
    assert wire.types[-1] == "thread.item.done"
    assert len(seen) == 1
