"""Many streams whose clients go away at random moments, and what is left of them afterwards."""

import asyncio
import gc
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random

from chatkit.types import ThreadMetadata, ThreadStreamEvent
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from chatkit_prod import harden
from chatkit_prod.asgi import ASGIApp, Message
from chatkit_prod.testing import chatkit_request, user_message
from chatkit_prod.tracing.names import ACTIVE_STREAMS
from chatkit_prod.tracing.request import TracedRequest
from tests.servers import JSON, Script, ScriptedServer, Wire, added, delta, done, http_scope
from tests.tracing.recording import Recorder, context_of

CREATE = chatkit_request("threads.create", input=user_message("Hello"))
SERVER_SPAN = "threads.create"

_AT_ONCE = 100
_LIMIT = 30.0
_KEPT = 400
"""More than what waits for a reader of the metrics, and what the event loop keeps: up to 100 timers that were
cancelled, with their contexts."""


class Ledger(SpanProcessor):
    """Knows which spans have not ended, and the names of those that have, by trace."""

    def __init__(self) -> None:
        self.open: dict[int, str] = {}
        self.by_trace: dict[int, list[str]] = defaultdict(list)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.open[span.get_span_context().span_id] = span.name

    def on_end(self, span: ReadableSpan) -> None:
        context = context_of(span)
        self.open.pop(context.span_id)
        self.by_trace[context.trace_id].append(span.name)


class _Complaints(logging.Handler):
    """Keeps what OpenTelemetry complains about."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@dataclass
class Aftermath:
    """What is left when all have gone.

    Args:
        seed: Of the random choices.
        ways: How often each way to go was taken.
        complaints: What was written to the logger of OpenTelemetry's context.
        leaks: What was current where nothing of the answer may be.
        strangers: Requests in whose trace their span was not there once, or was not with others of its own.
        open_spans: Names of spans that have not ended.
        lost_spans: Names of spans in traces of no request.
        active: The open streams that the metric tells.
        kept_requests: How many requests are in memory that were not before.
        kept_spans: How many spans are.
        seen: The names of all spans.
    """

    seed: int
    ways: Counter[str] = field(default_factory=Counter[str])
    complaints: list[str] = field(default_factory=list[str])
    leaks: list[str] = field(default_factory=list[str])
    strangers: list[str] = field(default_factory=list[str])
    open_spans: list[str] = field(default_factory=list[str])
    lost_spans: list[str] = field(default_factory=list[str])
    active: int = -1
    kept_requests: int = -1
    kept_spans: int = -1
    seen: Counter[str] = field(default_factory=Counter[str])

    def check(self) -> None:
        """Fail if anything is left."""
        assert self.complaints == [], f"seed {self.seed}"
        assert self.leaks == [], f"seed {self.seed}"
        assert self.strangers == [], f"seed {self.seed}"
        assert self.open_spans == [], f"seed {self.seed}"
        assert self.lost_spans == [], f"seed {self.seed}"
        assert self.active == 0, f"seed {self.seed}"
        assert self.kept_requests < _KEPT, f"seed {self.seed}"
        assert self.kept_spans < _KEPT, f"seed {self.seed}"
        assert {*_WAYS} == {*self.ways}, f"seed {self.seed}"
        assert {SERVER_SPAN, "chatkit.respond", "model", "tool", "store.add_thread_item"} <= {*self.seen}


class _Departure:
    """One request whose client goes away, in one of many ways.

    Args:
        way: How.
        rng: Chooses when.
        leaks: Gets what is current while a message is sent and should not be.
    """

    def __init__(self, way: str, rng: Random, leaks: list[str]) -> None:
        self.trace_id = secrets.randbits(128) | 1
        self._way = way
        self._rng = rng
        self._leaks = leaks
        self._left = rng.randrange(1, 12)

    async def run(self, app: ASGIApp) -> None:
        """Ask, and go."""
        parent = b"00-%032x-%016x-01" % (self.trace_id, secrets.randbits(64) | 1)
        self._wire = Wire(CREATE, on_send=self._on_send)
        request = self._wire.request(app, http_scope(headers=(*JSON, (b"traceparent", parent))))
        self._task = asyncio.create_task(request)
        if self._way == "some time":
            await asyncio.sleep(self._rng.uniform(0, 0.01))
            self._wire.gone.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(self._task, _LIMIT)
        if trace.get_current_span() is not trace.INVALID_SPAN:
            self._leaks.append("after the request")

    async def _on_send(self, _: Message) -> None:
        name = getattr(trace.get_current_span(), "name", "")
        if name in {"model", "tool", "chatkit.respond", "chatkit.process"}:
            self._leaks.append(name)
        self._left -= 1
        await pause(self._rng)
        if self._left:
            return
        match self._way:
            case "some events":
                self._wire.gone.set()
            case "a broken pipe":
                raise BrokenPipeError
            case "a cancelled request":
                self._task.cancel()
            case "an unread answer":
                self._wire.gone.set()
                await asyncio.sleep(0.05)
            case _:
                pass


_WAYS = (
    "to the end",
    "some time",
    "some events",
    "a broken pipe",
    "a cancelled request",
    "an unread answer",
)


async def pause(rng: Random) -> None:
    """Take no time, a turn of the event loop, or a moment."""
    match rng.randrange(4):
        case 0:
            pass
        case 3:
            await asyncio.sleep(rng.uniform(0, 0.002))
        case _:
            await asyncio.sleep(0)


def _answer(tracer: trace.Tracer, rng: Random) -> Script:
    """Return a script that keeps a span current across its yields, as apps do."""

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        with tracer.start_as_current_span("model"):
            yield added(thread)
            for number in range(rng.randrange(8)):
                await pause(rng)
                with tracer.start_as_current_span("tool"):
                    await pause(rng)
                    yield delta(f"{number} ")
                if rng.random() < 0.01:
                    raise RuntimeError("the model is gone")
            yield done(thread, "whole")

    return script


async def depart(
    count: int, *, around: Callable[[ASGIApp, Recorder], ASGIApp] = lambda app, _: app
) -> Aftermath:
    """Let many clients ask and go away at random moments.

    Args:
        count: How many.
        around: What else is put around the app.
    """
    aftermath = Aftermath(secrets.randbits(32))
    rng = Random(aftermath.seed)
    ledger, complaints = Ledger(), _Complaints()
    recorder = Recorder(ledger)
    app = around(
        harden(
            ScriptedServer(_answer(recorder.tracer, rng)),
            auth=None,
            insecure=True,
            tracer_provider=recorder.tracers,
            meter_provider=recorder.meters,
            cancel_grace=5,
        ),
        recorder,
    )
    requests, spans = _in_memory(TracedRequest), _in_memory(ReadableSpan)
    logging.getLogger("opentelemetry.context").addHandler(complaints)
    try:
        for _ in range(0, count, _AT_ONCE):
            ways = [rng.choice(_WAYS) for _ in range(_AT_ONCE)]
            aftermath.ways.update(ways)
            await _batch(app, ways, rng, ledger, aftermath)
        await asyncio.sleep(0)
    finally:
        logging.getLogger("opentelemetry.context").removeHandler(complaints)
    aftermath.complaints = complaints.texts
    aftermath.open_spans = [*ledger.open.values()]
    aftermath.lost_spans = [name for names in ledger.by_trace.values() for name in names]
    aftermath.active = sum(point.value for _, point in recorder.points(ACTIVE_STREAMS))
    aftermath.kept_requests = _in_memory(TracedRequest) - requests
    aftermath.kept_spans = _in_memory(ReadableSpan) - spans
    return aftermath


async def _batch(app: ASGIApp, ways: list[str], rng: Random, ledger: Ledger, aftermath: Aftermath) -> None:
    departures = [_Departure(way, rng, aftermath.leaks) for way in ways]
    runs: list[Callable[[], Awaitable[None]]] = [partial(found.run, app) for found in departures]
    await asyncio.gather(*(run() for run in runs))
    for departure, way in zip(departures, ways, strict=True):
        names = ledger.by_trace.pop(departure.trace_id, [])
        aftermath.seen.update(names)
        if names.count(SERVER_SPAN) != 1 or names.count("chatkit.process") > 1:
            aftermath.strangers.append(f"{way}: {names}")


def _in_memory(kind: type) -> int:
    gc.collect()
    return sum(type(found) is kind for found in gc.get_objects())
