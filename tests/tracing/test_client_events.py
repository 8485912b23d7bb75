"""The endpoint for the events of pages, and for our module."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import TracerProvider
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import AuthMiddleware
from chatkit_prod.testing import ChatKitClient
from chatkit_prod.tracing import names
from chatkit_prod.tracing.client_event import FIELDS
from chatkit_prod.tracing.client_events import ClientEventsEndpoint
from tests.layers import exchange
from tests.servers import JSON, http_scope

from .test_client_event import DATA, EVENT, NOW, PARENT, SESSION_ID, Shouting

pytestmark = pytest.mark.anyio

TRACE_ID, SPAN_ID = PARENT.split("-")[1:3]
MODULE = "/client-events/chatkit-prod.js"
TYPES = "/client-events/chatkit-prod.d.ts"


class Telemetry:
    """Providers of their own, and what they have exported."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self._reader = InMemoryMetricReader()
        self.logs = LoggerProvider(shutdown_on_exit=False)
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def close(self) -> None:
        self.logs.shutdown()
        self.meters.shutdown()

    def endpoint(self, **options: Any) -> ClientEventsEndpoint:
        return ClientEventsEndpoint(logger_provider=self.logs, meter_provider=self.meters, **options)

    def signed_in(self, subject: str = "alice", **options: Any) -> ASGIApp:
        return AuthMiddleware(self.endpoint(**options), authenticator=Door(), exempt=[MODULE, TYPES])

    @property
    def records(self) -> tuple[ReadableLogRecord, ...]:
        return self._exporter.get_finished_logs()

    @property
    def record(self) -> ReadableLogRecord:
        (record,) = self.records
        return record

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.record.log_record.attributes or {})

    @property
    def counts(self) -> dict[tuple[str, str], float]:
        """Return how many events were counted, by kind and outcome."""
        found: dict[tuple[str, str], float] = {}
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                assert scope.scope.name == names.SCOPE
                for metric in scope.metrics:
                    assert metric.name == names.CLIENT_EVENTS
                    for point in metric.data.data_points:
                        assert isinstance(point, NumberDataPoint)
                        kind, outcome = (point.attributes or {}).values()
                        found[str(kind), str(outcome)] = point.value
        return found


class Door:
    """Believes whatever name stands in the header, and knows nobody without one."""

    challenge = "Name"

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        name = connection.headers.get("x-name")
        return None if name is None else Principal(issuer="door", subject=name)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    found = Telemetry()
    yield found
    found.close()


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the fields of the records on the logger so far."""
    caplog.set_level(logging.INFO, "chatkit_prod.client")

    def found() -> list[dict[str, Any]]:
        return [vars(record)["chatkit"] for record in caplog.records if record.name == "chatkit_prod.client"]

    return found


def batch(*events: Any, **more: Any) -> bytes:
    return json.dumps({"session": SESSION_ID, "events": list(events), **more}).encode()


async def post(
    app: ASGIApp,
    body: bytes,
    *,
    user: str | None = "alice",
    method: str = "POST",
    path: str = "/client-events",
    headers: Mapping[str, str] | None = None,
) -> Any:
    named = {} if user is None else {"x-name": user}
    return await ChatKitClient(app, path=path).send(body, method=method, headers={**named, **(headers or {})})


# ------------------------------------------------------------------------------------------------ the record


async def test_an_event_becomes_one_record_in_the_trace_of_its_chatkit_request(telemetry: Telemetry) -> None:
    answer = await post(telemetry.signed_in(), batch(EVENT))
    assert (answer.status, answer.body) == (204, b"")
    assert len(answer.headers["x-request-id"]) == 32
    found = telemetry.record.log_record
    assert found.event_name == names.CLIENT_ERROR
    assert found.severity_text == "ERROR"
    assert found.body is None
    assert f"{found.trace_id:032x}" == TRACE_ID
    assert f"{found.span_id:016x}" == SPAN_ID
    assert telemetry.record.instrumentation_scope
    assert telemetry.record.instrumentation_scope.name == names.SCOPE
    assert telemetry.attributes == {
        names.CLIENT_EVENT: "chatkit.error",
        names.USER_ID: "alice",
        names.SESSION_ID: SESSION_ID,
        **{field.attribute: DATA[name] for name, field in FIELDS.items()},
    }


async def test_a_log_event_is_a_record_at_level_info(telemetry: Telemetry) -> None:
    await post(telemetry.signed_in(), batch({"name": "composer.submit"}))
    assert telemetry.record.log_record.event_name == names.CLIENT_LOG
    assert telemetry.record.log_record.severity_text == "INFO"


@pytest.mark.parametrize("parent", [None, "", f"00-{'0' * 32}-{SPAN_ID}-01", f"00-{TRACE_ID}-{'0' * 16}-01"])
async def test_an_event_of_no_request_is_in_no_trace_not_even_in_that_of_its_delivery(
    telemetry: Telemetry, written: Callable[[], list[dict[str, Any]]], parent: str | None
) -> None:
    app = telemetry.signed_in()
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("delivery"):
        await post(app, batch({**EVENT, "traceparent": parent}))
    assert telemetry.record.log_record.trace_id == trace.INVALID_TRACE_ID
    assert (written()[0]["trace_id"], written()[0]["span_id"]) == (None, None)


async def test_the_same_stands_on_a_logger_of_python(
    telemetry: Telemetry, written: Callable[[], list[dict[str, Any]]]
) -> None:
    await post(telemetry.signed_in(), batch(EVENT))
    (record,) = written()
    assert record == {
        "kind": "error",
        "event": "chatkit.error",
        "user_id": "alice",
        "user_hash": None,
        "session_id": SESSION_ID,
        "thread_id": "thr_1",
        "item_id": "msg_1",
        "attachment_id": "att_1",
        "code": "stream.error",
        "error_type": "TypeError",
        "status": 502,
        "milliseconds": 1234,
        "request_id": DATA["request_id"],
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
    }


async def test_a_record_that_nobody_wants_is_not_made(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "chatkit_prod.client")
    await post(telemetry.signed_in(), batch(EVENT))
    assert len(telemetry.records) == 1
    assert not [record for record in caplog.records if record.name == "chatkit_prod.client"]


@pytest.mark.parametrize(
    ("minutes", "believed"), [(0, True), (-9, True), (9, True), (-11, False), (11, False), (None, False)]
)
async def test_a_time_within_ten_minutes_is_believed_and_any_other_is_now(
    telemetry: Telemetry, minutes: int | None, believed: bool
) -> None:
    before = time.time_ns()
    said = None if minutes is None else before // 1_000_000 + minutes * 60_000
    await post(telemetry.signed_in(), batch({**EVENT, "time": said}))
    found = telemetry.record.log_record
    assert before <= (found.observed_timestamp or 0) <= time.time_ns()
    expected = said * 1_000_000 if believed and said is not None else found.observed_timestamp
    assert found.timestamp == expected


async def test_an_impossible_time_is_now(telemetry: Telemetry) -> None:
    await post(telemetry.signed_in(), batch({**EVENT, "time": NOW * 1000}))
    assert telemetry.record.log_record.timestamp == telemetry.record.log_record.observed_timestamp


async def test_the_scrubber_goes_over_what_is_kept(telemetry: Telemetry) -> None:
    scrubber = Shouting()
    await post(telemetry.signed_in(scrubber=scrubber), batch(EVENT))
    assert "thr_1" in scrubber.given
    assert str(telemetry.attributes[names.CONVERSATION_ID]).startswith("[")


class BrokenScrubber:
    def scrub(self, text: str, /) -> Any:
        raise RuntimeError(text)


async def test_a_scrubber_that_fails_lets_nothing_through(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await post(telemetry.signed_in(scrubber=BrokenScrubber()), batch(EVENT))
    assert answer.status == 500
    assert telemetry.records == ()
    assert "thr_1" not in caplog.text


async def test_the_user_is_named_as_the_app_wants_it(
    telemetry: Telemetry, written: Callable[[], list[dict[str, Any]]]
) -> None:
    await post(telemetry.signed_in(user_as="hash", user_key=b"k" * 16), batch(EVENT))
    assert names.USER_ID not in telemetry.attributes
    assert written()[0]["user_hash"] == telemetry.attributes[names.USER_HASH]
    assert written()[0]["user_id"] is None


async def test_the_user_is_not_named_where_the_app_does_not_want_it(telemetry: Telemetry) -> None:
    await post(telemetry.signed_in(user_as="none"), batch(EVENT))
    assert not {names.USER_ID, names.USER_HASH} & telemetry.attributes.keys()


async def test_without_providers_of_its_own_the_global_ones_are_used() -> None:
    app = AuthMiddleware(ClientEventsEndpoint(), authenticator=Door())
    assert (await post(app, batch(EVENT))).status == 204


# ------------------------------------------------------------------------------------------------ the counter


async def test_events_are_counted_by_kind_and_outcome_and_never_by_user(telemetry: Telemetry) -> None:
    app = telemetry.signed_in()
    await post(app, batch(EVENT, {"name": "a"}, {"name": "b"}, {"name": "Not one!"}, lost=4))
    await post(app, batch(EVENT), user="bob")
    assert telemetry.counts == {("error", "kept"): 2, ("log", "kept"): 2, ("unknown", "dropped"): 5}


# ------------------------------------------------------------------------------------------------ refusals


async def test_without_authentication_in_front_nothing_is_taken_in(telemetry: Telemetry) -> None:
    answer = await post(telemetry.endpoint(), batch(EVENT))
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert telemetry.records == ()


async def test_nobody_who_is_not_signed_in_sends_events(telemetry: Telemetry) -> None:
    assert (await post(telemetry.signed_in(), batch(EVENT), user=None)).status == 401
    assert telemetry.records == ()


@pytest.mark.parametrize(
    ("body", "headers", "method", "status"),
    [
        pytest.param(b"{", {}, "POST", 400, id="no JSON"),
        pytest.param(batch(EVENT, EVENT, EVENT), {}, "POST", 413, id="too many events"),
        pytest.param(b" " * 2001, {}, "POST", 413, id="too large"),
        pytest.param(batch(EVENT), {"content-type": "text/plain"}, "POST", 415, id="a simple request"),
        pytest.param(b"", {}, "GET", 405, id="GET"),
        pytest.param(b"", {}, "DELETE", 405, id="DELETE"),
    ],
)
async def test_what_is_no_batch_is_refused_with_a_problem(
    telemetry: Telemetry, body: bytes, headers: dict[str, str], method: str, status: int
) -> None:
    app = telemetry.signed_in(max_events=2, max_body_bytes=2000)
    answer = await post(app, body, headers=headers, method=method)
    assert answer.status == status
    assert answer.json()["status"] == status
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)
    assert telemetry.records == ()


async def test_too_many_events_of_one_user_are_refused_until_later(telemetry: Telemetry) -> None:
    app = telemetry.signed_in(max_events=2, max_events_per_minute=2)
    assert (await post(app, batch(EVENT, {"name": "?"}))).status == 204
    answer = await post(app, batch(EVENT))
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert len(telemetry.records) == 1
    assert (await post(app, batch(EVENT), user="bob")).status == 204


async def test_a_page_that_goes_away_leaves_nothing(telemetry: Telemetry) -> None:
    sent = await exchange(
        telemetry.signed_in(),
        {**http_scope(headers=(*JSON, (b"x-name", b"alice")))},
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    )
    assert sent == []
    assert telemetry.records == ()


@pytest.mark.parametrize("option", ["max_body_bytes", "max_events", "max_events_per_minute"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "9", None])
def test_a_limit_that_is_none_is_refused_at_construction(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=option):
        ClientEventsEndpoint(**{option: value})


def test_a_batch_that_could_never_be_taken_in_is_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="max_events_per_minute"):
        ClientEventsEndpoint(max_events=11, max_events_per_minute=10)


# ------------------------------------------------------------------------------------------------ the module


@pytest.mark.parametrize(
    ("path", "media_type", "beginning"),
    [
        (MODULE, "text/javascript; charset=utf-8", "export function createTelemetry"),
        (TYPES, "text/plain; charset=utf-8", "export declare function createTelemetry"),
    ],
)
async def test_the_module_and_its_types_are_public_and_may_be_cached(
    telemetry: Telemetry, path: str, media_type: str, beginning: str
) -> None:
    app = telemetry.signed_in()
    answer = await post(app, b"", user=None, method="GET", path=path)
    assert answer.status == 200
    assert beginning in answer.body.decode()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=300"
    head = await post(app, b"", user=None, method="HEAD", path=path)
    assert (head.status, head.body, head.headers) == (200, b"", answer.headers)


@pytest.mark.parametrize(
    ("tags", "status"),
    [("{}", 304), ("W/{}", 304), ('"other", {}', 304), ("*", 304), ('"other"', 200), ("", 200)],
)
async def test_a_module_that_has_not_changed_is_not_sent_again(
    telemetry: Telemetry, tags: str, status: int
) -> None:
    app = telemetry.signed_in()
    etag = (await post(app, b"", method="GET", path=MODULE)).headers["etag"]
    answer = await post(app, b"", method="GET", path=MODULE, headers={"if-none-match": tags.format(etag)})
    assert answer.status == status
    assert answer.headers["etag"] == etag
    assert bool(answer.body) == (status == 200)


async def test_events_are_not_sent_to_a_path_that_is_exempt(telemetry: Telemetry) -> None:
    answer = await post(telemetry.signed_in(), batch(EVENT), user=None, path=MODULE)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert telemetry.records == ()


# ------------------------------------------------------------------------------------------------ ASGI


async def test_a_lifespan_has_a_beginning_and_an_end(telemetry: Telemetry) -> None:
    sent = await exchange(
        telemetry.signed_in(),
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_websocket_is_refused(telemetry: Telemetry) -> None:
    sent = await exchange(telemetry.endpoint(), {"type": "websocket"})
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_users_at_the_same_time_do_not_mix_their_events(telemetry: Telemetry) -> None:
    app = telemetry.signed_in()

    async def send(number: int) -> None:
        event = {**EVENT, "data": {"thread_id": f"thr_{number}"}}
        await post(app, batch(event), user=f"user_{number}")

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(send, number)
    for record in telemetry.records:
        found = dict(record.log_record.attributes or {})
        assert str(found[names.USER_ID]).split("_")[1] == str(found[names.CONVERSATION_ID]).split("_")[1]
    assert len(telemetry.records) == 20
