"""What tracing costs, beside OpenTelemetry's own instrumentation for ASGI, and with nobody to read it."""

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from chatkit_prod import ChatKitEndpoint
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.tracing import TracingMiddleware, instrument_server

from .apps import BenchServer
from .measure import Request, batch, paired

CHUNKS = 200
_CHUNK = (
    b'data: {"type":"thread.item.updated","item_id":"msg_bench","update":'
    b'{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"word "}}\n\n'
)


class Costs(NamedTuple):
    """What is added to a request, in seconds of CPU time.

    Args:
        ours: By `TracingMiddleware`, to a stream of 200 chunks.
        peer: By OpenTelemetry's instrumentation, to the same stream.
        share: The median of the one over the other.
        chunk: By `TracingMiddleware`, for each chunk.
        full: By everything, to a `threads.list`.
        stream: By everything, to a stream of 200 deltas.
        silent: By everything, to a `threads.list`, where no SDK is configured.
    """

    ours: float
    peer: float
    share: float
    chunk: float
    full: float
    stream: float
    silent: float


class _Streamer:
    """An app that sends a number of chunks, and never waits."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(self._chunks):
            await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def costs(list_threads: Request, send_message: Request, rounds: int) -> Costs:
    """Measure everything.

    Args:
        list_threads: A `threads.list`.
        send_message: A message to a thread.
        rounds: Paired rounds.
    """
    tracer_provider, meter_provider = TracerProvider(), MeterProvider([InMemoryMetricReader()])
    providers: dict[str, Any] = {"tracer_provider": tracer_provider, "meter_provider": meter_provider}

    def traced(app: ASGIApp) -> ASGIApp:
        return TracingMiddleware(app, **providers)

    def instrumented(app: Any) -> Any:
        return OpenTelemetryMiddleware(app, **providers, exclude_spans=["send", "receive"])

    short, long = _Streamer(CHUNKS), _Streamer(2 * CHUNKS)
    chunks = await _measured(
        {
            "bare": short,
            "ours": traced(short),
            "peer": instrumented(short),
            "bare long": long,
            "ours long": traced(long),
        },
        send_message,
        [],
        rounds,
        size=20,
    )
    plain, full, silent = (BenchServer(CHUNKS) for _ in range(3))
    instrument_server(full, **providers)
    instrument_server(silent)
    endpoints: dict[str, ASGIApp] = {
        "plain": ChatKitEndpoint(plain),
        "full": TracingMiddleware(ChatKitEndpoint(full), **providers),
        "silent": TracingMiddleware(ChatKitEndpoint(silent)),
    }
    servers = [plain, full, silent]
    lists = await _measured(endpoints, list_threads, servers, rounds, size=100)
    streams = await _measured(endpoints, send_message, servers, rounds, size=10)
    tracer_provider.shutdown()
    meter_provider.shutdown()
    return Costs(
        ours=_added(chunks, "ours", "bare"),
        peer=_added(chunks, "peer", "bare"),
        share=statistics.median(
            (ours - bare) / (peer - bare)
            for ours, peer, bare in zip(chunks["ours"], chunks["peer"], chunks["bare"], strict=True)
        ),
        chunk=statistics.median(
            ((long - bare_long) - (short - bare)) / CHUNKS
            for long, bare_long, short, bare in zip(
                chunks["ours long"], chunks["bare long"], chunks["ours"], chunks["bare"], strict=True
            )
        ),
        full=_added(lists, "full", "plain"),
        stream=_added(streams, "full", "plain"),
        silent=_added(lists, "silent", "plain"),
    )


def table(found: Costs) -> str:
    """Return what is added, as Markdown."""
    rows = {
        "`TracingMiddleware`, 200 chunks": found.ours,
        "OpenTelemetry's instrumentation for ASGI, without spans for messages": found.peer,
        "all of tracing, `threads.list`": found.full,
        "all of tracing, a stream of 200 deltas": found.stream,
        "all of tracing without an SDK, `threads.list`": found.silent,
    }
    lines = "\n".join(f"| {name} | {seconds * 1e6:.0f} |" for name, seconds in rows.items())
    return f"| | added µs |\n|---|---|\n{lines}"


async def _measured(
    apps: Mapping[str, ASGIApp], request: Request, servers: list[BenchServer], rounds: int, *, size: int
) -> dict[str, list[float]]:
    async def reset() -> None:
        for server in servers:
            await BenchServer.reset(server)

    return await paired(
        {name: batch(request, app, reset, size=size) for name, app in apps.items()}, rounds=rounds
    )


def _added(figures: Mapping[str, list[float]], name: str, base: str) -> float:
    return statistics.median(a - b for a, b in zip(figures[name], figures[base], strict=True))
