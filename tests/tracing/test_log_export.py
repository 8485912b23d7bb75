"""Records of stdlib logging arrive as OpenTelemetry log records, in their trace and without exception texts."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from chatkit_prod import ChatKitEndpoint
from chatkit_prod.records import write
from chatkit_prod.testing import ChatKitClient, chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware
from chatkit_prod.tracing.log_export import OpenTelemetryHandler
from chatkit_prod.tracing.logs import RequestFilter, keep_texts_out
from tests.servers import ScriptedServer, hello

pytestmark = pytest.mark.anyio

CANARY = "canary-77b0"
CREATE = chatkit_request("threads.create", input=user_message("Hello"))


class Logs:
    """A provider of its own, a handler for it, and what it has exported."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.handler = OpenTelemetryHandler(logger_provider=self.provider)

    def handle(self, name: str = "app", **attributes: object) -> None:
        given = {"name": name, "levelno": 20, "levelname": "INFO", "msg": "hello"}
        self.handler.handle(logging.makeLogRecord({**given, **attributes}))

    @property
    def all(self) -> list[Any]:
        return list(self._exporter.get_finished_logs())

    @property
    def one(self) -> Any:
        (found,) = self.all
        return found.log_record


@pytest.fixture
def logs() -> Iterator[Logs]:
    found = Logs()
    yield found
    found.provider.shutdown()


@pytest.fixture
def listening(logs: Logs) -> Iterator[Callable[[str], logging.Logger]]:
    """Return a function that puts the handler on a logger until the end of the test."""
    changed = list[tuple[logging.Logger, int]]()

    def listen(name: str) -> logging.Logger:
        logger = logging.getLogger(name)
        changed.append((logger, logger.level))
        logger.setLevel(logging.DEBUG)
        logger.addHandler(logs.handler)
        return logger

    yield listen
    for logger, level in changed:
        logger.removeHandler(logs.handler)
        logger.setLevel(level)


Listen = Callable[[str], logging.Logger]


def attributes(record: Any) -> dict[str, Any]:
    return dict(record.attributes or {})


# --------------------------------------------------------------------------------------------- what arrives


def test_the_message_is_the_body_and_the_logger_is_the_scope(logs: Logs) -> None:
    logs.handle("app.parts", msg="%d parts of %s", args=(3, "it"), created=1_800_000_000.5)
    (found,) = logs.all
    assert found.instrumentation_scope.name == "app.parts"
    assert (logs.one.body, logs.one.event_name) == ("3 parts of it", None)
    assert logs.one.timestamp == 1_800_000_000_500_000_000
    assert attributes(logs.one) == {}


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (5, SeverityNumber.TRACE),
        (logging.DEBUG, SeverityNumber.DEBUG),
        (15, SeverityNumber.DEBUG),
        (logging.INFO, SeverityNumber.INFO),
        (logging.WARNING, SeverityNumber.WARN),
        (logging.ERROR, SeverityNumber.ERROR),
        (logging.CRITICAL, SeverityNumber.FATAL),
        (1_000, SeverityNumber.FATAL),
    ],
)
def test_a_level_is_a_severity(logs: Logs, level: int, severity: SeverityNumber) -> None:
    logs.handle(levelno=level, levelname="AS IT IS CALLED")
    assert (logs.one.severity_number, logs.one.severity_text) == (severity, "AS IT IS CALLED")


async def test_an_access_record_arrives_in_the_trace_of_its_request_by_the_names_of_its_span(
    logs: Logs, listening: Listen
) -> None:
    listening("chatkit_prod.access")
    tracing = TracerProvider(shutdown_on_exit=False)
    app = TracingMiddleware(ChatKitEndpoint(ScriptedServer(hello)), tracer_provider=tracing)
    response = await ChatKitClient(app).send(CREATE)
    tracing.shutdown()
    found = attributes(logs.one)
    assert logs.one.event_name == "chatkit.access"
    assert logs.one.trace_id
    assert logs.one.span_id
    assert found["http.request.method"] == "POST"
    assert found["url.path"] == "/chatkit"
    assert found["http.response.status_code"] == 200
    assert found["chatkit.operation"] == "threads.create"
    assert found["chatkit.outcome"] == "completed"
    assert found["gen_ai.conversation.id"].startswith("thr_")
    assert found["chatkit.request.id"] == response.headers["x-request-id"]
    assert found["chatkit.milliseconds"] >= 0
    assert "user.id" not in found
    assert not {"trace_id", "chatkit.trace_id", "chatkit.method", "chatkit.span_id"} & set(found)


def test_an_audit_record_arrives_with_how_the_caller_proved_it(logs: Logs, listening: Listen) -> None:
    fields = {"decision": "refused", "user_id": "alice", "method": "jwt", "tenant": None, "request_id": "r"}
    write(listening("chatkit_prod.audit"), fields)
    assert logs.one.event_name == "chatkit.audit"
    assert attributes(logs.one) == {
        "chatkit.decision": "refused",
        "user.id": "alice",
        "chatkit.method": "jwt",
        "chatkit.request.id": "r",
    }


def test_the_ids_of_the_request_arrive_where_a_record_does_not_say_them_itself(logs: Logs) -> None:
    logs.handler.addFilter(RequestFilter())
    said = {"request_id": "inner", "user_id": None}
    logs.handle(user_id="alice", operation="threads.list", request_id="outer", chatkit=said)
    assert attributes(logs.one) == {
        "user.id": "alice",
        "chatkit.operation": "threads.list",
        "chatkit.request.id": "inner",
    }


def test_what_others_give_as_extra_stays_behind(logs: Logs) -> None:
    logs.handle(prompt=CANARY)
    assert attributes(logs.one) == {}


def test_a_value_that_no_attribute_can_hold_is_named_by_its_type(logs: Logs) -> None:
    logs.handle(
        chatkit={"a": object(), "b": ["x", object()], "c": 1.5, "d": True, "e": (), "f": {"x": CANARY}}
    )
    found = attributes(logs.one)
    assert found.pop("chatkit.b") == ("x", "object")
    assert found.pop("chatkit.e") == ()
    assert found == {"chatkit.a": "object", "chatkit.c": 1.5, "chatkit.d": True, "chatkit.f": "dict"}


# --------------------------------------------------------------------------------------------- what does not


def fail() -> None:
    error = ValueError(CANARY)
    error.add_note(CANARY)
    raise error from LookupError(CANARY)


def test_an_exception_arrives_with_its_type_and_stack_and_without_its_text(
    logs: Logs, listening: Listen
) -> None:
    logger = listening("app.failing")
    try:
        fail()
    except ValueError as error:
        logger.exception(error)  # noqa: TRY401 - as ChatKit does
    found = attributes(logs.one)
    assert CANARY not in logs.all[0].to_json()
    assert (logs.one.body, found["exception.type"]) == ("ValueError", "ValueError")
    assert "in fail" in found["exception.stacktrace"]
    assert set(found) == {"exception.type", "exception.stacktrace"}


def test_so_does_one_whose_text_was_taken_away_before(logs: Logs, listening: Listen) -> None:
    logger = listening("app.cleaned")
    keep_texts_out("app.cleaned")
    try:
        fail()
    except ValueError as error:
        logger.exception("failed: %s", error)  # noqa: TRY401 - as others do
    assert CANARY not in logs.all[0].to_json()
    assert attributes(logs.one)["exception.type"] == "ValueError"
    logger.filters.clear()


@pytest.mark.parametrize(
    "name", ["opentelemetry", "opentelemetry.sdk._logs", "opentelemetry.exporter.otlp", "chatkit_prod.client"]
)
def test_what_would_go_in_a_circle_or_twice_is_left_out(logs: Logs, name: str) -> None:
    logs.handle(name)
    assert logs.all == []


@pytest.mark.parametrize(
    "name", ["opentelemetryx", "chatkit_prod.clients", "chatkit_prod", "app.opentelemetry"]
)
def test_a_name_that_only_looks_like_it_is_not(logs: Logs, name: str) -> None:
    logs.handle(name)
    assert len(logs.all) == 1


def test_what_is_written_while_exporting_is_left_out(listening: Listen, logs: Logs) -> None:
    logger = listening("http_client")

    class Talkative(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> Any:
            logger.warning("connecting")
            return super().export(batch)

    exporter = Talkative()  # type: ignore[no-untyped-call]
    logs.provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger.warning("hello")
    assert [found.log_record.body for found in exporter.get_finished_logs()] == ["hello"]


class Broken(LogRecordProcessor):
    """Raises where it should take a record."""

    def on_emit(self, log_record: Any) -> None:
        raise RuntimeError("broken")

    def shutdown(self) -> None:
        return None

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def test_a_pipeline_that_fails_does_not_end_the_request(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = list[logging.LogRecord]()
    monkeypatch.setattr(logs.handler, "handleError", failed.append)
    logs.provider.add_log_record_processor(Broken())
    logs.handle()
    assert [record.getMessage() for record in failed] == ["hello"]


_TEXT = st.text(st.characters(exclude_categories=()))
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.binary()


@given(_TEXT, st.dictionaries(st.text(min_size=1), _VALUES | st.lists(_VALUES, max_size=3), max_size=4))
def test_whatever_is_in_a_record_it_can_be_sent(message: str, fields: dict[str, Any]) -> None:
    encoder = pytest.importorskip("opentelemetry.exporter.otlp.proto.common._log_encoder")
    logs = Logs()
    logs.handle(msg=message, chatkit=fields)
    assert encoder.encode_logs(logs.all).SerializeToString()
    logs.provider.shutdown()


def test_half_characters_and_endless_numbers_become_what_can_be_sent(logs: Logs) -> None:
    logs.handle(msg="a\ud800b", chatkit={"text": "\udfff", "number": 2**63, "least": -(2**63) + 1})
    assert logs.one.body == "a?b"
    found = attributes(logs.one)
    assert found == {"chatkit.text": "?", "chatkit.number": "int", "chatkit.least": -(2**63) + 1}


def test_without_a_provider_of_the_apps_own_it_goes_to_the_global_one() -> None:
    OpenTelemetryHandler().handle(logging.makeLogRecord({"name": "app", "msg": "to nobody"}))


def test_a_handler_has_a_level(logs: Logs, listening: Listen) -> None:
    logger = listening("app.levels")
    logs.handler.setLevel(logging.WARNING)
    logger.info("no")
    logger.warning("yes")
    assert logs.one.body == "yes"
    assert OpenTelemetryHandler(logging.ERROR).level == logging.ERROR
