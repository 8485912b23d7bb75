"""An exception is recorded by its type and its stack, where OpenTelemetry's switch wants it."""

import pytest
from opentelemetry.trace import INVALID_SPAN, StatusCode

from chatkit_prod.tracing.failures import Failures, mark, type_of
from tests.tracing.recording import Recorder, attributes, context_of

CANARY = "unseen words".replace(" ", "-")  # not in the source, which a stack quotes
SWITCH = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


class CanaryError(Exception):
    pass


def raised() -> CanaryError:
    try:
        raise CanaryError(CANARY)  # noqa: TRY301 - with a stack
    except CanaryError as error:
        return error


@pytest.mark.parametrize(
    ("chosen", "events", "records"),
    [
        (None, 1, 0),
        ("", 1, 0),
        ("logs", 0, 1),
        ("logs/dup", 1, 1),
        ("logs, logs/dup", 1, 1),
        (" logs ", 0, 1),
        ("http,other", 1, 0),
    ],
)
def test_the_switch_decides_between_an_event_a_record_and_both(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, events: int, records: int
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    if chosen is not None:
        monkeypatch.setenv(SWITCH, chosen)
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("call") as span:
        Failures(recorder.loggers).record(span, raised())
    assert len(recorder.span("call").events) == events
    assert len(recorder.records) == records
    for event in recorder.span("call").events:
        assert event.name == "exception"
        assert (event.attributes or {})["exception.type"] == "CanaryError"
        assert "in raised" in str((event.attributes or {})["exception.stacktrace"])
    for record in recorder.records:
        log, context = record.log_record, context_of(span)
        assert (log.event_name, log.severity_text) == ("http.server.request.exception", "ERROR")
        assert (log.trace_id, log.span_id) == (context.trace_id, context.span_id)
        assert (log.attributes or {})["exception.type"] == "CanaryError"
        assert log.body is None
        assert CANARY not in record.to_json()
    assert CANARY not in recorder.span("call").to_json()


def test_a_span_that_nobody_sees_is_not_told_but_the_record_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SWITCH, "logs/dup")
    recorder = Recorder()
    Failures(recorder.loggers).record(INVALID_SPAN, raised())
    assert len(recorder.records) == 1


def test_a_span_is_marked_by_a_type_and_without_words() -> None:
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("call") as span:
        mark(span, "503")
    found = recorder.span("call")
    assert attributes(found) == {"error.type": "503"}
    assert (found.status.status_code, found.status.description) == (StatusCode.ERROR, None)


def test_the_type_of_an_exception_is_the_name_of_its_class() -> None:
    class InnerError(Exception):
        pass

    assert type_of(KeyError(CANARY)) == "KeyError"
    assert type_of(InnerError()).endswith("InnerError")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ShopDownError", "ShopDownError"),
        ("Outer.<locals>.InnerError", "Outer.<locals>.InnerError"),
        ("user wrote: my secret", "_OTHER"),
        ("E" * 129, "_OTHER"),
        ("Fehlér", "_OTHER"),
    ],
)
def test_a_class_that_was_named_at_run_time_is_shown_if_that_is_a_name(name: str, shown: str) -> None:
    made = type("Made", (Exception,), {})
    made.__qualname__ = name
    assert type_of(made()) == shown
