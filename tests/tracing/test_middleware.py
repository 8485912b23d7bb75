"""One span, one request id and one access record for every request."""

import asyncio
import gc
import json
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any, Unpack

import anyio
import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.types import ThreadMetadata, ThreadStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chatkit_prod import ChatKitEndpoint, Principal
from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send
from chatkit_prod.errors import ConfigurationError, ForbiddenError
from chatkit_prod.testing import ChatKitClient, chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware, TracingOptions
from tests.layers import Greeter, exchange, get, header_lines
from tests.servers import Script, ScriptedServer, Wire, added, delta, done, hello

pytestmark = pytest.mark.anyio

CREATE = chatkit_request("threads.create", input=user_message("Hello"))
LIMIT = 10.0
CANARY = str(object())  # stands in no line of this file, and so in no stack
OF_HTTP = {
    "url.path": "/chatkit",
    "url.scheme": "http",
    "network.protocol.version": "1.1",
    "server.address": "127.0.0.1",
    "server.port": 80,
}

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
TRACEPARENT = (b"traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01".encode())


class Traces:
    """A provider of its own, and what it has exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def around(self, app: ASGIApp, **options: Unpack[TracingOptions]) -> TracingMiddleware:
        return TracingMiddleware(app, tracer_provider=self.provider, **options)

    def around_server(self, script: Script = hello, **options: Any) -> TracingMiddleware:
        return self.around(ChatKitEndpoint(ScriptedServer(script), **options))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.spans
        return span


@pytest.fixture
def traces() -> Iterator[Traces]:
    found = Traces()
    yield found
    found.provider.shutdown()


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the fields of the access records so far."""
    caplog.set_level(logging.INFO, "chatkit_prod.access")

    def found() -> list[dict[str, Any]]:
        return [vars(record)["chatkit"] for record in caplog.records if record.name == "chatkit_prod.access"]

    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def trace_id(span: ReadableSpan | trace.Span) -> str:
    context = span.get_span_context()
    assert context
    return f"{context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context
    return f"{context.span_id:016x}"


# ------------------------------------------------------------------------------------------------ the span


async def test_one_server_span_lasts_until_the_end_of_the_stream(traces: Traces) -> None:
    go_on = anyio.Event()

    async def slowly(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        await go_on.wait()
        yield done(thread, "late")

    seen = list[str]()
    with anyio.fail_after(LIMIT):
        async with ChatKitClient(traces.around_server(slowly)).stream(CREATE) as stream:
            async for event in stream:
                seen.append(event["type"])
                if event["type"] == "thread.item.added":
                    assert traces.spans == ()
                    go_on.set()
    assert seen[-1] == "thread.item.done"
    assert traces.span.kind is SpanKind.SERVER
    assert traces.span.status.status_code is StatusCode.UNSET
    assert traces.span.parent is None
    assert not traces.span.events


async def test_the_span_of_an_operation_is_named_after_it(traces: Traces) -> None:
    wire = await Wire(CREATE).request(traces.around_server())
    assert traces.span.name == "threads.create"
    found = attributes(traces.span)
    assert len(found.pop("chatkit.request.id")) == 32
    assert found == {
        **OF_HTTP,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "chatkit.operation": "threads.create",
        "chatkit.outcome": "completed",
        "chatkit.stream.events": len(wire.events),
        "gen_ai.conversation.id": wire.events[0]["thread"]["id"],
    }


async def test_the_span_of_any_other_request_is_named_after_its_method(traces: Traces) -> None:
    await exchange(traces.around(Greeter()), get())
    assert traces.span.name == "GET"
    found = attributes(traces.span)
    assert len(found.pop("chatkit.request.id")) == 32
    assert found == {
        **OF_HTTP,
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "chatkit.outcome": "completed",
    }


def failing(error: Exception, *, late: bool) -> Script:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        if late:
            yield added(thread)
        raise error
        yield delta("never")

    return script


FAILURES: dict[str, Script] = {
    f"{name} {when} the first event": failing(error, late=when == "after")
    for when in ("before", "after")
    for name, error in {
        "exception": RuntimeError("canary"),
        "StreamError": StreamError(ErrorCode.STREAM_ERROR),
        "CustomStreamError": CustomStreamError("canary"),
    }.items()
}


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES.keys())
async def test_an_error_inside_a_200_stream_is_an_error_of_the_span(
    traces: Traces, records: Callable[[], list[dict[str, Any]]], script: Script
) -> None:
    wire = await Wire(CREATE).request(traces.around_server(script))
    assert wire.status == 200
    assert wire.types[-1] == "error"
    assert traces.span.status.status_code is StatusCode.ERROR
    assert attributes(traces.span)["chatkit.outcome"] == "error"
    assert attributes(traces.span)["error.type"] == "stream.error"
    assert "canary" not in traces.span.to_json()
    assert [record["outcome"] for record in records()] == ["error"]


async def test_an_exception_behind_an_error_has_its_type_on_the_span(traces: Traces) -> None:
    class Lost(Exception):  # noqa: N818 - the name is what is looked for
        pass

    def broken(state: object) -> None:
        raise Lost(CANARY)

    wire = await Wire(CREATE).request(traces.around_server(context_factory=broken))
    assert (wire.status, wire.types) == (200, ["error"])
    assert attributes(traces.span)["error.type"].endswith("Lost")
    (event,) = traces.span.events
    assert event.name == "exception"
    assert "in broken" in str((event.attributes or {})["exception.stacktrace"])
    assert CANARY not in traces.span.to_json()


async def test_a_refused_request_is_no_error_of_the_span(traces: Traces) -> None:
    wire = await Wire(b"{").request(traces.around_server())
    assert wire.status == 400
    assert traces.span.name == "POST"
    assert traces.span.status.status_code is StatusCode.UNSET
    assert attributes(traces.span)["chatkit.outcome"] == "refused"
    assert attributes(traces.span)["http.response.status_code"] == 400


async def test_a_client_that_goes_away_cancels_and_is_no_error(traces: Traces) -> None:
    async def endless(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("a")
        await anyio.Event().wait()

    with anyio.fail_after(LIMIT):
        async with ChatKitClient(traces.around_server(endless)).stream(CREATE) as stream:
            await anext(aiter(stream))
    assert attributes(traces.span)["chatkit.outcome"] == "cancelled"
    assert traces.span.status.status_code is StatusCode.UNSET


async def test_a_request_that_the_server_cancels_is_cancelled_and_no_error(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.Event().wait()

    task = asyncio.create_task(exchange(traces.around(endless), get()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attributes(traces.span)["chatkit.outcome"] == "cancelled"
    assert traces.span.status.status_code is StatusCode.UNSET
    assert [record["outcome"] for record in records()] == ["cancelled"]


async def test_an_exception_of_the_app_is_an_error_and_goes_on_to_the_server(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    with pytest.raises(ValueError, match="canary"):
        await exchange(traces.around(Greeter(error=ValueError("canary"))), get())
    assert traces.span.status.status_code is StatusCode.ERROR
    assert attributes(traces.span)["error.type"] == "ValueError"
    assert "http.response.status_code" not in attributes(traces.span)
    assert "canary" not in traces.span.to_json()
    assert [(record["status"], record["outcome"]) for record in records()] == [(None, "error")]


@pytest.mark.parametrize(
    ("status", "code"), [(200, StatusCode.UNSET), (404, StatusCode.UNSET), (503, StatusCode.ERROR)]
)
async def test_a_5xx_of_any_app_is_an_error_of_the_span(
    traces: Traces, status: int, code: StatusCode
) -> None:
    await exchange(traces.around(Greeter(status=status)), get())
    assert traces.span.status.status_code is code
    assert attributes(traces.span).get("error.type") == ("503" if status == 503 else None)


# ------------------------------------------------------------------------------------------------ the trace


async def test_the_span_continues_the_trace_of_the_caller(traces: Traces) -> None:
    await exchange(traces.around(Greeter()), get(TRACEPARENT, (b"tracestate", b"vendor=1")))
    assert trace_id(traces.span) == TRACE_ID
    assert traces.span.parent
    assert traces.span.parent.is_remote
    assert f"{traces.span.parent.span_id:016x}" == SPAN_ID
    assert traces.span.parent.trace_state["vendor"] == "1"


@given(
    st.binary(max_size=60)
    | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True),
    st.binary(max_size=60),
)
async def test_whatever_stands_in_the_trace_headers_the_request_is_answered(
    parent: bytes, state: bytes
) -> None:
    found = Traces()
    sent = await exchange(found.around(Greeter()), get((b"traceparent", parent), (b"tracestate", state)))
    assert sent[0]["status"] == 200
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_two_pipelined_requests_never_share_a_trace(traces: Traces) -> None:
    """A server may start the second request out of the first one's task, with its context variables."""
    app = traces.around(Greeter())

    async def next_requests(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.create_task(exchange(app, get()))
        await asyncio.create_task(exchange(app, get(TRACEPARENT)))

    await exchange(traces.around(next_requests), get())
    second, third, first = traces.spans
    assert second.parent is None
    assert trace_id(second) != trace_id(first)
    assert trace_id(third) == TRACE_ID


async def test_requests_at_the_same_time_never_share_a_trace(traces: Traces) -> None:
    app = traces.around_server()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(Wire(CREATE).request, app)
    assert len({trace_id(span) for span in traces.spans}) == 20


async def test_the_span_is_current_inside_the_app_and_nowhere_else(
    traces: Traces, caplog: pytest.LogCaptureFixture
) -> None:
    seen = list[trace.Span]()

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        seen.append(trace.get_current_span())
        yield added(thread)
        seen.append(trace.get_current_span())
        yield done(thread, "")

    await Wire(CREATE).request(traces.around_server(script))
    assert [trace_id(span) for span in seen] == [trace_id(traces.span)] * 2
    assert trace.get_current_span() is trace.INVALID_SPAN
    with pytest.raises(RuntimeError):
        await exchange(traces.around(Greeter(error=RuntimeError())), get())
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert "detach" not in caplog.text


async def test_without_a_provider_of_its_own_the_global_one_is_used() -> None:
    assert (await exchange(TracingMiddleware(Greeter()), get()))[0]["status"] == 200


# ------------------------------------------------------------------------------------------------ the request id


async def test_the_request_id_is_on_every_response(traces: Traces) -> None:
    inside = Greeter(status=418)
    sent = await exchange(traces.around(inside), get())
    assert header_lines(sent, b"x-request-id") == [inside.state.request_id.encode()]
    assert len(inside.state.request_id) == 32


async def test_a_request_id_that_the_app_has_set_stays(traces: Traces) -> None:
    sent = await exchange(traces.around(Greeter(headers=[(b"X-Request-Id", b"mine")])), get())
    assert header_lines(sent, b"x-request-id") == [b"mine"]


@pytest.mark.parametrize(
    "body", [CREATE, chatkit_request("threads.list"), b"{"], ids=["stream", "JSON", "refused"]
)
async def test_the_request_id_is_there_once_and_is_the_one_of_the_record(
    traces: Traces, records: Callable[[], list[dict[str, Any]]], body: bytes
) -> None:
    wire = await Wire(body).request(traces.around_server())
    (record,) = records()
    assert header_lines(wire.sent, b"x-request-id") == [record["request_id"].encode()]


async def test_a_request_id_of_the_client_is_not_taken_over(traces: Traces) -> None:
    sent = await exchange(traces.around(Greeter()), get((b"x-request-id", b"forged")))
    assert header_lines(sent, b"x-request-id") != [b"forged"]


# ------------------------------------------------------------------------------------------------ the record


class Door:
    """A layer that knows its user, and may refuse them."""

    def __init__(self, app: ASGIApp, *, error: Exception | None = None) -> None:
        self._app = app
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["chatkit"].principal = Principal(issuer="door", subject="alice")
        if self._error is not None:
            raise self._error
        await self._app(scope, receive, send)


async def test_the_record_of_a_request_answers_who_did_what_and_how_it_ended(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    app = traces.around(Door(ChatKitEndpoint(ScriptedServer(hello))))
    created = (await Wire(CREATE).request(app)).events[0]["thread"]["id"]
    await Wire(chatkit_request("threads.get_by_id", thread_id=created)).request(app)
    first, second = records()
    for record in (first, second):
        assert record.pop("milliseconds") >= 0
        assert len(record.pop("request_id")) == 32
    common = {"path": "/chatkit", "method": "POST", "user_id": "alice", "status": 200, "outcome": "completed"}
    common |= {"thread_id": created, "user_hash": None, "session_id": None, "error_type": None}
    of_spans = [{"trace_id": trace_id(span), "span_id": span_id(span)} for span in traces.spans]
    assert first == {**common, **of_spans[0], "operation": "threads.create", "events": 7}
    assert second == {**common, **of_spans[1], "operation": "threads.get_by_id", "events": None}


async def test_what_is_not_known_is_null(traces: Traces, records: Callable[[], list[dict[str, Any]]]) -> None:
    await exchange(traces.around(Greeter()), get())
    (record,) = records()
    assert (record["operation"], record["user_id"], record["thread_id"]) == (None, None, None)
    assert record["status"] == 200


async def test_the_milliseconds_are_those_of_the_whole_stream(
    traces: Traces, records: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_prod.tracing.request.perf_counter", lambda: 10.0)
    monkeypatch.setattr("chatkit_prod.tracing.middleware.perf_counter", lambda: 12.5)
    await exchange(traces.around(Greeter()), get())
    assert records()[0]["milliseconds"] == 2500.0


async def test_a_record_that_nobody_wants_is_not_made(
    traces: Traces, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "chatkit_prod.access")
    await exchange(traces.around(Greeter()), get())
    assert caplog.records == []


@pytest.mark.parametrize(
    "path",
    [
        "/a\nlevel=error outcome=completed",
        "/a\r\n\r\n",
        '/"} status=200 {"',
        "/\x1b[2J",
        "/\u2028\u2029\x85",
        "/%s%d{}",
        "",
    ],
    ids=["line feed", "carriage return", "quotes", "escape", "unicode line ends", "format", "empty"],
)
async def test_a_path_cannot_write_lines_or_fields_of_its_own(
    traces: Traces, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.access")
    await exchange(traces.around(Greeter()), {**get(), "path": path})
    check_one_line(caplog.records[0], path)


@given(st.text(max_size=60), st.text(min_size=1, max_size=10))
async def test_no_path_and_no_method_can_write_lines_or_fields_of_its_own(path: str, method: str) -> None:
    kept = list[logging.LogRecord]()

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    logger, handler = logging.getLogger("chatkit_prod.access"), Keeping()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    found = Traces()
    try:
        await exchange(found.around(Greeter()), {**get(), "path": path, "method": method})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    check_one_line(kept[0], path)


def check_one_line(record: logging.LogRecord, path: str) -> None:
    line = record.getMessage()
    fields = vars(record)["chatkit"]
    assert line.isascii()
    assert line.isprintable()
    assert fields["path"] == path
    assert read_back(line) == {name: value for name, value in fields.items() if value is not None}


def read_back(line: str) -> dict[str, Any]:
    """Read a line as a program would."""
    fields, decoder, at = dict[str, Any](), json.JSONDecoder(), 0
    while at < len(line):
        name, _, _ = line[at:].partition("=")
        fields[name], at = decoder.raw_decode(line, at + len(name) + 1)
        at += 1
    return fields


# ------------------------------------------------------------------------------------------------ what it leaves alone


async def test_scope_and_messages_are_not_changed(traces: Traces) -> None:
    inside = Greeter(headers=[(b"x-kept", b"1")])
    scope = get()
    before, messages = deepcopy(scope), deepcopy(inside.messages)
    sent = await exchange(traces.around(inside), scope)
    assert scope == before
    assert inside.messages == messages
    assert sent[1] == messages[1]


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_what_is_not_http_is_passed_on_untraced(traces: Traces, kind: str) -> None:
    inside = Greeter()
    assert await exchange(traces.around(inside), {"type": kind}) == inside.messages
    assert inside.scopes == [{"type": kind}]
    assert traces.spans == ()


async def test_a_layer_that_raises_a_refusal_has_its_type_on_the_span(traces: Traces) -> None:
    with pytest.raises(ForbiddenError):
        await exchange(traces.around(Door(Greeter(), error=ForbiddenError())), get())
    assert attributes(traces.span)["error.type"] == "ForbiddenError"


# ------------------------------------------------------------------------------------------------ the options


async def test_the_user_is_named_by_a_keyed_hash_if_that_is_asked_for(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    for key in (b"k" * 16, b"q" * 16):
        app = traces.around(Door(Greeter()), user_as="hash", user_key=key)
        await exchange(app, get())
        await exchange(app, get())
    hashes = [attributes(span)["user.hash"] for span in traces.spans]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]
    assert all("user.id" not in attributes(span) for span in traces.spans)
    assert [record["user_hash"] for record in records()] == hashes
    assert {record["user_id"] for record in records()} == {None}


async def test_the_user_is_not_named_if_that_is_asked_for(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    await exchange(traces.around(Door(Greeter()), user_as="none"), get())
    assert not {"user.id", "user.hash"} & attributes(traces.span).keys()
    assert (records()[0]["user_id"], records()[0]["user_hash"]) == (None, None)


async def test_by_default_the_user_is_named_by_id(traces: Traces) -> None:
    await exchange(traces.around(Door(Greeter())), get())
    assert attributes(traces.span)["user.id"] == "alice"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"0123456789abcdef" * 2, "0123456789abcdef" * 2),
        (b"0123456789ABCDEF" * 2, None),
        (b"alice@example.com", None),
        (b"", None),
        (b"\xff" * 32, None),
        (b"a" * 33, None),
    ],
)
async def test_the_session_of_the_page_is_taken_if_it_is_nothing_but_a_random_number(
    traces: Traces,
    records: Callable[[], list[dict[str, Any]]],
    header: bytes,
    expected: str | None,
) -> None:
    await exchange(traces.around(Greeter()), get((b"chatkit-session", header)))
    assert attributes(traces.span).get("session.id") == expected
    assert records()[0]["session_id"] == expected


async def test_who_the_client_is_is_told_only_if_that_is_asked_for(traces: Traces) -> None:
    agent = (b"user-agent", b"browser/1")
    for chosen in (False, True):
        await exchange(traces.around(Greeter(), client_attributes=chosen), get(agent))
    without, within = map(attributes, traces.spans)
    assert not {"client.address", "user_agent.original"} & without.keys()
    assert (within["client.address"], within["user_agent.original"]) == ("127.0.0.1", "browser/1")


async def test_what_the_server_does_not_know_of_a_connection_is_left_out(traces: Traces) -> None:
    async def without(app: ASGIApp, **missing: Any) -> dict[str, Any]:
        async def changed(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, **missing}, receive, send)

        await exchange(changed, get())
        return attributes(traces.spans[-1])

    app = traces.around(Greeter(), client_attributes=True)
    assert (
        not {"client.address", "user_agent.original", "server.port"}
        & (await without(app, client=None, server=("/run/socket", None))).keys()
    )
    assert "server.address" not in await without(app, server=None)
    assert (await without(app, method="BREW"))["http.request.method"] == "_OTHER"


async def test_the_route_of_the_framework_is_named(traces: Traces) -> None:
    class FoundRoute:
        path = "/{tenant}/chatkit"

    for route, expected in ((FoundRoute(), "/{tenant}/chatkit"), (object(), None)):

        async def routed(scope: Scope, receive: Receive, send: Send, route: object = route) -> None:
            await traces.around(Greeter())({**scope, "route": route}, receive, send)

        await exchange(routed, get())
        assert attributes(traces.spans[-1]).get("http.route") == expected


async def test_the_request_id_of_a_proxy_that_is_trusted_is_taken_over(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    app = traces.around(Greeter(), trusted_proxies=["127.0.0.0/8"])
    sent = await exchange(app, get((b"x-request-id", b"edge-12345678")))
    assert header_lines(sent, b"x-request-id") == [b"edge-12345678"]
    assert records()[0]["request_id"] == attributes(traces.span)["chatkit.request.id"] == "edge-12345678"


async def test_baggage_of_the_caller_is_dropped_but_for_the_keys_that_are_named(traces: Traces) -> None:
    seen = list[dict[str, object]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(baggage.get_all()))
        await Greeter()(scope, receive, send)

    header = (b"baggage", b"plan=gold,secret=1")
    await exchange(traces.around(app), get(TRACEPARENT, header))
    await exchange(traces.around(app, baggage=["plan"]), get(TRACEPARENT, header))
    assert seen == [{}, {"plan": "gold"}]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"user_as": "name"}, "user_as"),
        ({"user_as": "hash"}, "user_key"),
        ({"user_key": b"k" * 16}, "user_key"),
        ({"user_as": "hash", "user_key": b"short"}, "user_key"),
        ({"user_as": "hash", "user_key": "text of some length"}, "user_key"),
        ({"client_attributes": 1}, "client_attributes"),
        ({"baggage": "plan"}, "baggage"),
        ({"trusted_proxies": ["proxy.example.com"]}, "trusted_proxies"),
        ({"trusted_proxies": "10.0.0.1"}, "trusted_proxies"),
        ({"colour": "red"}, "no option colour"),
    ],
)
def test_a_wrong_option_is_refused_at_construction(options: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        TracingMiddleware(Greeter(), **options)


# ------------------------------------------------------------------------------------------------ what is around it


async def test_the_span_of_an_outer_instrumentation_is_joined_and_not_doubled(traces: Traces) -> None:
    app: Any = OpenTelemetryMiddleware(
        traces.around_server(failing(ValueError(CANARY), late=True)),
        tracer_provider=traces.provider,
        exclude_spans=["send", "receive"],
    )
    await Wire(CREATE).request(app)
    assert traces.span.kind is SpanKind.SERVER
    assert traces.span.name == "threads.create"
    assert attributes(traces.span)["chatkit.outcome"] == "error"
    assert traces.span.status.status_code is StatusCode.ERROR


async def test_a_second_tracing_layer_around_the_same_request_adds_nothing(
    traces: Traces, records: Callable[[], list[dict[str, Any]]]
) -> None:
    async def between(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(scope, receive, send)

    inner = traces.around(Greeter())
    sent = await exchange(traces.around(between), get())
    assert traces.span.parent is None
    assert len(records()) == 1
    assert len(header_lines(sent, b"x-request-id")) == 1


async def test_what_is_not_http_goes_through(traces: Traces) -> None:
    seen = list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None: ...

    await traces.around(app)({"type": "lifespan"}, receive, send)
    assert (seen, traces.spans) == (["lifespan"], ())


async def test_where_nobody_wants_to_know_the_request_still_gets_its_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "chatkit_prod.access")
    wire = await Wire(CREATE).request(TracingMiddleware(ChatKitEndpoint(ScriptedServer(hello))))
    assert len(header_lines(wire.sent, b"x-request-id")) == 1
    sent = await exchange(TracingMiddleware(Greeter()), get())
    assert len(header_lines(sent, b"x-request-id")) == 1


async def test_an_exception_is_not_kept_when_its_request_is_over(traces: Traces) -> None:
    class Lost(Exception):  # noqa: N818 - the name is what is looked for
        pass

    gone = list[weakref.ref[Lost]]()

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        error = Lost()
        gone.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        with suppress(Lost):
            await exchange(traces.around(broken), get())
        assert gone[0]() is None
    finally:
        gc.enable()
