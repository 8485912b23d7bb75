"""What was not known when a span began stands on it at the end."""

from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN, StatusCode

from chatkit_prod.tracing.ended import Ended, describe
from chatkit_prod.tracing.outcome import Stream, Verdict
from chatkit_prod.tracing.user import NOBODY, User
from tests.tracing.recording import Recorder, attributes

REFUSED = Ended(
    method="POST",
    path="/chatkit",
    scheme="https",
    route=None,
    operation=None,
    user=NOBODY,
    thread_id=None,
    session_id=None,
    request_id="0123",
    status=None,
    verdict=Verdict("refused"),
    seconds=0.1,
    stream=None,
)
FAILED = REFUSED._replace(
    route="/{app}",
    operation="threads.create",
    user=User(hash="abcd"),
    thread_id="thr_1",
    session_id="5e55",
    status=200,
    verdict=Verdict("error", "KeyError"),
    stream=Stream(events=7, first_event=0.2, longest_gap=0.3),
)


def described(ended: Ended) -> tuple[str, dict[str, Any], StatusCode]:
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("POST") as span:
        describe(span, ended)
    (found,) = recorder.spans
    return found.name, attributes(found), found.status.status_code


def test_a_request_of_which_little_is_known_says_nothing_else() -> None:
    assert described(REFUSED) == (
        "POST",
        {"chatkit.request.id": "0123", "chatkit.outcome": "refused"},
        StatusCode.UNSET,
    )


def test_all_that_is_known_stands_on_the_span() -> None:
    assert described(FAILED) == (
        "threads.create",
        {
            "chatkit.request.id": "0123",
            "chatkit.outcome": "error",
            "chatkit.operation": "threads.create",
            "chatkit.stream.events": 7,
            "error.type": "KeyError",
            "gen_ai.conversation.id": "thr_1",
            "http.response.status_code": 200,
            "http.route": "/{app}",
            "session.id": "5e55",
            "user.hash": "abcd",
        },
        StatusCode.ERROR,
    )


@pytest.mark.parametrize(
    "unknown",
    [
        {"route": None},
        {"user": NOBODY},
        {"thread_id": None},
        {"session_id": None},
        {"status": None},
        {"stream": None},
        {"operation": None},
    ],
    ids=lambda unknown: next(iter(unknown)),
)
def test_what_is_not_known_is_left_out(unknown: dict[str, Any]) -> None:
    _, whole, _ = described(FAILED)
    _, without, _ = described(FAILED._replace(**unknown))
    assert without.items() < whole.items()
    assert len(whole) - len(without) == 1


def test_a_span_that_nobody_records_is_left_alone() -> None:
    describe(INVALID_SPAN, FAILED)
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("POST") as span:
        span.end()
        describe(span, FAILED)
    assert attributes(recorder.span("POST")) == {}
