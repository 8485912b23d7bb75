"""No request shares a trace with another: on its connection, beside it, or through an instrumentation in between."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, cast

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from chatkit_prod import harden
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.testing import Answer, chatkit_request
from chatkit_prod.tracing import TracingMiddleware
from chatkit_prod.tracing.names import REQUEST_ID
from tests.tracing.departures import depart
from tests.tracing.recording import Recorder, attributes, context_of

from .desk import Desk, create, desk_context
from .servers import SERVERS, ServerName, serve
from .wire import connect

pytestmark = pytest.mark.anyio

STREAMS = 500
CONNECTIONS = 8
PIPELINED = 6

_LIST = chatkit_request("threads.list")
_PEER = "opentelemetry.instrumentation.asgi"

Around = Callable[[ASGIApp, Recorder], ASGIApp]


def _instrumented(app: ASGIApp, recorder: Recorder) -> ASGIApp:
    peer: Any = OpenTelemetryMiddleware
    return cast(
        "ASGIApp",
        peer(
            app,
            tracer_provider=recorder.tracers,
            meter_provider=recorder.meters,
            exclude_spans=["receive", "send"],
        ),
    )


def _nested(app: ASGIApp, recorder: Recorder) -> ASGIApp:
    async def hiding(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return TracingMiddleware(hiding, tracer_provider=recorder.tracers, meter_provider=recorder.meters)


AROUND: dict[str, Around] = {"alone": lambda app, _: app, "instrumented": _instrumented, "nested": _nested}


def _hardened(recorder: Recorder) -> ASGIApp:
    return harden(
        Desk(),
        auth=None,
        insecure=True,
        context_factory=desk_context,
        tracer_provider=recorder.tracers,
        meter_provider=recorder.meters,
    )


def _encoded(body: bytes, traceparent: str | None) -> bytes:
    lines = [
        "POST /chatkit HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *([f"traceparent: {traceparent}"] if traceparent else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _pipeline(port: int, asked: list[tuple[bytes, str | None]]) -> list[Answer]:
    """Send all requests in one piece, and read the answers to them."""
    async with connect(port) as connection:
        connection._writer.write(b"".join(_encoded(*request) for request in asked))
        return [await connection.answer() for _ in asked]


def _requests(line: int) -> list[tuple[bytes, str | None]]:
    """Return streams and others in turn; two of three continue a trace of their own."""
    return [
        (
            _LIST if number % 2 else create(f"{line}.{number}"),
            f"00-{line:016x}{number + 1:016x}-{number + 1:016x}-01" if number % 3 else None,
        )
        for number in range(PIPELINED)
    ]


def _by_request(recorder: Recorder) -> dict[str, list[ReadableSpan]]:
    """Return the spans of each request by its id: those that hang on its SERVER span.

    A span of the instrumentation around us that is no SERVER span has joined another request: that is its own
    mistake, and no span of ours may follow it.
    """
    spans = {context_of(span).span_id: span for span in recorder.spans}
    found = defaultdict[str, list[ReadableSpan]](list)
    for span in spans.values():
        if _scope_of(span) == _PEER and span.kind is not SpanKind.SERVER:
            continue
        root = span
        while root.kind is not SpanKind.SERVER:
            assert root.parent
            root = spans[root.parent.span_id]
        assert context_of(span).trace_id == context_of(root).trace_id
        found[attributes(root)[REQUEST_ID]].append(span)
    return found


def _scope_of(span: ReadableSpan) -> str:
    assert span.instrumentation_scope
    return span.instrumentation_scope.name


def _names(spans: list[ReadableSpan]) -> Counter[str]:
    return Counter(span.name for span in spans)


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("server", SERVERS)
async def test_requests_in_one_packet_and_on_many_connections_never_share_a_trace(
    server: ServerName, around: Around
) -> None:
    alone, recorder = Recorder(), Recorder()
    for recording, lines in ((alone, [0]), (recorder, [*range(1, CONNECTIONS + 1)])):
        asked = {line: _requests(line) for line in lines}
        async with serve(around(_hardened(recording), recording), server=server) as port:
            if recording is alone:
                answers = {0: [(await _pipeline(port, [request]))[0] for request in asked[0]]}
            else:
                given = await asyncio.gather(*(_pipeline(port, requests) for requests in asked.values()))
                answers = dict(zip(lines, given, strict=True))
        found = _by_request(recording)
        assert len(found) == len(lines) * PIPELINED
        traces = Counter[int]()
        for line, requests in asked.items():
            for (body, parent), answer in zip(requests, answers[line], strict=True):
                spans = found[answer.headers["x-request-id"]]
                (server_span,) = (span for span in spans if span.kind is SpanKind.SERVER)
                trace_id = context_of(server_span).trace_id
                traces[trace_id] += 1
                assert answer.status == 200
                assert server_span.name == ("threads.list" if body == _LIST else "threads.create")
                if parent is None:
                    assert server_span.parent is None
                else:
                    assert server_span.parent
                    assert f"00-{trace_id:032x}-{server_span.parent.span_id:016x}-01" == parent
                assert _names(spans) == _names(_like(server_span.name, alone))
        assert set(traces.values()) == {1}


def _like(name: str, alone: Recorder) -> list[ReadableSpan]:
    """Return the spans of a request of this kind that nobody else was beside."""
    return next(
        spans
        for spans in _by_request(alone).values()
        if any(span.name == name and span.kind is SpanKind.SERVER for span in spans)
    )


@pytest.mark.parametrize("server", ["uvicorn-h11", "uvicorn-httptools"])
async def test_an_instrumentation_that_starts_from_what_is_current_shares_traces_in_one_packet(
    server: ServerName,
) -> None:
    """The peer alone, by the same means: what is tested above can fail."""
    recorder = Recorder()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})

    requests: list[tuple[bytes, str | None]] = [
        (b"", f"00-{number:032x}-{number:016x}-01") for number in (1, 2, 3)
    ]
    async with serve(_instrumented(app, recorder), server=server) as port:
        await _pipeline(port, requests)
    assert [context_of(span).trace_id for span in recorder.spans] == [1, 1, 1]
    assert sorted(span.kind.name for span in recorder.spans) == ["INTERNAL", "INTERNAL", "SERVER"]


async def test_whoever_leaves_a_stream_at_random_leaves_no_span_and_no_context(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "chatkit")
    caplog.set_level(logging.CRITICAL, "chatkit_prod")
    (await depart(STREAMS)).check()
