"""Every kind of failure, as the span, the exception, the access record and the counter tell it: all the same."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from agents.tracing import get_trace_provider, set_trace_provider
from agents.tracing.provider import DefaultTraceProvider
from opentelemetry.trace import StatusCode

from chatkit_prod import close_streams, harden
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.tracing import AgentsBridge
from chatkit_prod.tracing.names import ACTIVE_STREAMS, REQUESTS
from tests.servers import Wire, http_scope
from tests.tracing.failing import (
    CASES,
    MAX_BODY_BYTES,
    Case,
    Door,
    FailingDesk,
    FailingPolicy,
    failing_context,
    furnish,
)
from tests.tracing.recording import attributes
from tests.tracing.telemetry import Telemetry, captured, server_span, trace_id

pytestmark = pytest.mark.anyio

LIMIT = 10.0
SAID = f"said {id(object())}"  # stands in no line of this file, and so in no stack
SWITCH = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    before = get_trace_provider()
    set_trace_provider(DefaultTraceProvider())
    try:
        with captured() as found:
            AgentsBridge(tracer_provider=found.tracers, exclusive=True).install()
            yield found
    finally:
        set_trace_provider(before)


@pytest.fixture
async def desk() -> FailingDesk:
    found = FailingDesk()
    await furnish(found)
    return found


def app_of(desk: FailingDesk, telemetry: Telemetry) -> ASGIApp:
    return harden(
        desk,
        auth=Door(),
        access=FailingPolicy(),
        context_factory=failing_context,
        tracer_provider=telemetry.tracers,
        meter_provider=telemetry.meters,
        logger_provider=telemetry.loggers,
        max_body_bytes=MAX_BODY_BYTES,
        cancel_grace=2,
    )


async def ask(app: ASGIApp, desk: FailingDesk, case: Case) -> Wire:
    """Send the request of a case, and do what its client does."""
    more = {"x-seconds": "0.2"} if case.client == "outlives its token" else {}
    headers = [(name.encode(), value.encode()) for name, value in (case.sent(SAID) | more).items()]
    wire = Wire(case.body)
    with anyio.fail_after(LIMIT):
        async with asyncio.TaskGroup() as tasks:
            request = tasks.create_task(wire.request(app, http_scope(method=case.method, headers=headers)))
            if case.client != "stays":
                await desk.begun.wait()
            if case.client == "goes":
                wire.gone.set()
            if case.client == "sees the process end":
                await close_streams()
            await request
    return wire


@pytest.mark.parametrize("opt_in", ["", "logs", "logs/dup"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_failure_is_told_once_and_everywhere_alike(
    telemetry: Telemetry, desk: FailingDesk, case: Case, opt_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, opt_in)
    wire = await ask(app_of(desk, telemetry), desk, case)
    assert wire.status == case.status

    span = server_span(telemetry.spans)
    known = attributes(span)
    assert span.name == (case.method if case.operation == "unknown" else case.operation)
    assert known["http.response.status_code"] == case.status
    assert known["chatkit.outcome"] == case.outcome
    assert known.get("error.type") == case.error_type
    assert span.status.status_code is (StatusCode.ERROR if case.error_type else StatusCode.UNSET)
    assert span.status.description is None

    assert _on_spans(telemetry) == (_expected(case) if opt_in != "logs" else [])
    assert _in_logs(telemetry) == (_expected(case) if opt_in else [])

    (record,) = telemetry.access()
    told = (record["operation"] or "unknown", record["status"], record["outcome"], record["error_type"])
    assert told == (case.operation, case.status, case.outcome, case.error_type)
    assert record["trace_id"] == trace_id(span)
    assert record["request_id"] == known["chatkit.request.id"] == wire.headers["x-request-id"]
    assert record["user_id"] == known.get("user.id")

    counted = {"chatkit.operation": case.operation, "chatkit.outcome": case.outcome}
    if case.error_type:
        counted["error.type"] = case.error_type
    assert [(found, point.value) for found, point in telemetry.points(REQUESTS)] == [(counted, 1)]
    assert telemetry.total(ACTIVE_STREAMS) == 0

    assert SAID not in "".join(telemetry.exported().values()) + telemetry.own_records()


def _expected(case: Case) -> list[tuple[str | None, str]]:
    return [] if case.exception is None else [(case.recorded_on, case.exception)]


def _on_spans(telemetry: Telemetry) -> list[tuple[str, str]]:
    """Return the spans that have an exception, each with its type; its stack must be there, and no message."""
    found = [(span.name, event) for span in telemetry.spans for event in span.events]
    return [(name, _type(dict(event.attributes or {}))) for name, event in found]


def _in_logs(telemetry: Telemetry) -> list[tuple[str, str]]:
    """Return the same of the log records that are exceptions."""
    names = {span.context.span_id: span.name for span in telemetry.spans if span.context}
    return [
        (names[found.log_record.span_id or 0], _type(dict(found.log_record.attributes or {})))
        for found in telemetry.records
        if found.log_record.event_name == "http.server.request.exception"
    ]


def _type(attributes: dict[str, Any]) -> str:
    assert {"exception.type", "exception.stacktrace"} == {*attributes}
    assert 'File "' in attributes["exception.stacktrace"]
    return str(attributes["exception.type"])


def test_the_table_has_every_outcome_and_every_status() -> None:
    assert {case.outcome for case in CASES.values()} == {
        "completed",
        "error",
        "cancelled",
        "expired",
        "refused",
    }
    statuses = {case.status for case in CASES.values()}
    assert statuses == {200, 400, 401, 403, 404, 405, 413, 415, 500, 503}
