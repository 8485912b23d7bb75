"""One access record for every request, which leads to its trace."""

import logging
from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN

from chatkit_prod.tracing.access_log import access_logger, is_access_logged, record_access
from chatkit_prod.tracing.user import User
from tests.tracing.recording import Recorder, context_of
from tests.tracing.test_ended import FAILED, REFUSED


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = caplog.records
    found: dict[str, Any] = vars(record)["chatkit"]
    return found


def test_a_record_says_who_asked_for_what_and_how_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, access_logger.name)
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("POST") as span:
        record_access(FAILED._replace(seconds=1.23456), span)
    context = context_of(span)
    assert fields(caplog) == {
        "path": "/chatkit",
        "method": "POST",
        "operation": "threads.create",
        "user_id": None,
        "user_hash": "abcd",
        "thread_id": "thr_1",
        "session_id": "5e55",
        "status": 200,
        "outcome": "error",
        "error_type": "KeyError",
        "milliseconds": 1234.6,
        "events": 7,
        "request_id": "0123",
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
    }
    assert caplog.records[0].levelno == logging.INFO


def test_what_is_not_known_is_null(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, access_logger.name)
    record_access(REFUSED, INVALID_SPAN)
    known = {name: value for name, value in fields(caplog).items() if value is not None}
    assert known == {
        "path": "/chatkit",
        "method": "POST",
        "outcome": "refused",
        "milliseconds": 100.0,
        "request_id": "0123",
    }
    assert "null" not in caplog.text


def test_a_user_is_there_by_id_or_by_hash_and_never_by_both(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, access_logger.name)
    record_access(FAILED._replace(user=User(id="alice")), INVALID_SPAN)
    assert (fields(caplog)["user_id"], fields(caplog)["user_hash"]) == ("alice", None)


def test_a_record_that_nobody_wants_is_not_made(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, access_logger.name)
    assert not is_access_logged()
    record_access(FAILED, INVALID_SPAN)
    assert caplog.records == []


def test_a_record_that_somebody_wants_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, access_logger.name)
    assert is_access_logged()
