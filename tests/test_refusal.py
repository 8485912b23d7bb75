"""A request that failed is answered so that its client does not make it worse."""

import gettext
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chatkit_prod import ConfigurationError, RequestState
from chatkit_prod.errors import (
    AppError,
    ContentTooLargeError,
    ForbiddenError,
    InternalError,
    InvalidTokenError,
    UnavailableError,
    UnsupportedMediaTypeError,
    as_request_error,
)
from chatkit_prod.refusal import expects_events, problem, refuse, refuse_stream, stream_headers
from chatkit_prod.sse import SSEDecoder
from tests.servers import http_scope

QUOTED = "what a client sent"

ON_PURPOSE: dict[str, tuple[Exception, int, str]] = {
    "forbidden": (ForbiddenError(), 403, "forbidden"),
    "token": (InvalidTokenError("Bearer"), 401, "invalid_token"),
    "media type": (UnsupportedMediaTypeError(), 415, "unsupported_media_type"),
    "absent": (NotFoundError(QUOTED), 404, "not_found"),
    "too large": (ContentTooLargeError("max_attachments", 20), 413, "content_too_large"),
    "by the app": (HTTPException(429, QUOTED), 429, "refused"),
}

FAILED: dict[str, tuple[Exception, int, str]] = {
    "unknown": (ValueError(QUOTED), 500, "internal_error"),
    "upstream": (HTTPException(502, QUOTED), 500, "internal_error"),
    "internal": (InternalError(), 500, "internal_error"),
    "unavailable": (UnavailableError("jwks"), 503, "temporarily_unavailable"),
    "misconfigured": (ConfigurationError("put A in front of B"), 500, "internal_error"),
}

BY_THE_APP: dict[str, tuple[StreamError | CustomStreamError, int, str]] = {
    "custom": (CustomStreamError("Revenez demain.", allow_retry=False), 400, "custom"),
    "stream error": (StreamError(ErrorCode.STREAM_ERROR, allow_retry=True), 500, "stream.error"),
}


def seeded() -> RequestState:
    return RequestState.seed(http_scope())[1]


def body(response: Response) -> Any:
    return json.loads(bytes(response.body))


def events(response: Response) -> list[Any]:
    return [event.json() for event in SSEDecoder().feed(bytes(response.body))]


def every(*tables: Mapping[str, tuple[Exception, int, str]]) -> pytest.MarkDecorator:
    """Run a test for each case of some tables."""
    cases = {name: case for table in tables for name, case in table.items()}
    return pytest.mark.parametrize(("error", "status", "code"), cases.values(), ids=cases.keys())


# ------------------------------------------------------------------------------------------------ as a problem


@every(ON_PURPOSE, FAILED, BY_THE_APP)
def test_a_request_that_does_not_stream_gets_a_problem(error: Exception, status: int, code: str) -> None:
    state = seeded()
    response = refuse(error, state)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == state.request_id
    found = body(response)
    assert (found["status"], found["code"], found["request_id"]) == (status, code, state.request_id)
    assert QUOTED not in repr((found, response.raw_headers))


@every(ON_PURPOSE)
def test_a_refusal_has_its_status_also_where_a_stream_was_asked_for(
    error: Exception, status: int, code: str
) -> None:
    plain, streaming = seeded(), seeded()
    streaming.request_id = plain.request_id
    expected, response = refuse(error, plain), refuse_stream(error, streaming)
    assert (response.status_code, response.raw_headers, response.body) == (
        status,
        expected.raw_headers,
        expected.body,
    )


def test_a_client_of_a_service_that_is_away_is_told_when_to_come_back() -> None:
    assert refuse(UnavailableError("jwks", retry_after=7), seeded()).headers["retry-after"] == "7"


class French(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"fr: {message}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"fr: {msgid1 if n == 1 else msgid2}"


@pytest.mark.parametrize("answer", [refuse, refuse_stream])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ForbiddenError(), "You are not allowed to do this."),
        (NotFoundError(QUOTED), "This could not be found."),
        (ContentTooLargeError("max_attachments", 1), "A message can have at most 1 attachment."),
        (ContentTooLargeError("max_attachments", 20), "A message can have at most 20 attachments."),
        (HTTPException(423, QUOTED), "This conversation is locked."),
        (
            HTTPException(429, QUOTED, {"Retry-After": "5"}),
            "You are sending messages too quickly. Try again in 5 seconds.",
        ),
    ],
    ids=["forbidden", "absent", "one", "many", "locked", "too fast"],
)
def test_a_refusal_speaks_the_users_language(answer: Any, error: Exception, text: str) -> None:
    state = seeded()
    assert body(answer(error, state))["message"] == text
    state.translations = French()
    assert body(answer(error, state))["message"] == f"fr: {text}"


def test_a_failure_speaks_the_users_language_and_what_the_app_says_stays_as_it_is() -> None:
    state = seeded()
    state.translations = French()
    custom, error = (case[0] for case in BY_THE_APP.values())
    for failure in (ValueError(QUOTED), error):
        assert body(refuse(failure, state))["message"] == "fr: Something went wrong. Try again."
    assert body(refuse(custom, state))["message"] == "Revenez demain."
    assert events(refuse_stream(custom, state))[0]["message"] == "Revenez demain."


@pytest.mark.parametrize("translations", [gettext.NullTranslations(), French()], ids=["english", "french"])
def test_a_problem_is_in_the_language_of_the_catalog_that_it_is_given(
    translations: gettext.NullTranslations,
) -> None:
    error = ForbiddenError()
    response = problem(error, request_id="abc", translations=translations)
    assert body(response) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "code": "forbidden",
        "message": translations.gettext("You are not allowed to do this."),
        "request_id": "abc",
    }


# ------------------------------------------------------------------------------------------------ as an event


@every(FAILED)
def test_a_streaming_request_that_failed_gets_one_event_and_no_5xx(
    error: Exception, status: int, code: str
) -> None:
    state = seeded()
    response = refuse_stream(error, state)
    assert response.status_code == 200
    assert events(response) == [{"type": "error", "code": "stream.error", "allow_retry": True}]
    length = (b"content-length", str(len(response.body)).encode())
    assert response.raw_headers == [*stream_headers(state), length]


def test_what_the_app_says_on_purpose_is_the_event() -> None:
    custom, error = (case[0] for case in BY_THE_APP.values())
    assert events(refuse_stream(custom, seeded())) == [
        {"type": "error", "code": "custom", "message": "Revenez demain.", "allow_retry": False}
    ]
    assert events(refuse_stream(error, seeded())) == [
        {"type": "error", "code": "stream.error", "allow_retry": True}
    ]


def test_nobody_on_the_way_may_hold_a_stream_back_or_keep_it() -> None:
    state = seeded()
    assert stream_headers(state) == [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"x-request-id", state.request_id.encode()),
    ]


# ------------------------------------------------------------------------------------------------ what is noted


KNOWN = {name: case for name, case in FAILED.items() if name == "unavailable"}
SURPRISING = {name: case for name, case in FAILED.items() if name not in KNOWN}
BOTH = pytest.mark.parametrize("answer", [refuse, refuse_stream])


@BOTH
@every(ON_PURPOSE)
def test_a_refusal_is_noted_and_is_not_worth_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture, answer: Any, error: Exception, status: int, code: str
) -> None:
    state = seeded()
    answer(error, state)
    assert (state.outcome, state.error_type) == ("refused", None)
    assert caplog.records == []


@BOTH
@every(SURPRISING)
def test_a_failure_is_noted_and_logged_without_its_message(
    caplog: pytest.LogCaptureFixture, answer: Any, error: Exception, status: int, code: str
) -> None:
    state = seeded()
    answer(error, state)
    assert (state.outcome, state.error_type) == ("error", type(error).__name__)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("chatkit_prod", "ERROR")
    kind = re.escape(f"{type(error).__module__}.{type(error).__qualname__}")
    said = ": put A in front of B" if isinstance(error, ConfigurationError) else ""
    assert re.fullmatch(rf"request {state.request_id} failed\n{kind}{said}", record.getMessage())


@BOTH
@every(BY_THE_APP, KNOWN)
def test_an_error_that_somebody_has_told_of_already_is_noted_and_not_logged_again(
    caplog: pytest.LogCaptureFixture, answer: Any, error: Exception, status: int, code: str
) -> None:
    state = seeded()
    answer(error, state)
    assert (state.outcome, state.error_type) == ("error", type(error).__name__)
    assert caplog.records == []


def test_an_error_that_is_explained_already_is_answered_alike() -> None:
    error = as_request_error(CustomStreamError("Revenez demain."))
    assert isinstance(error, AppError)
    assert body(refuse(error, seeded()))["message"] == "Revenez demain."


# ------------------------------------------------------------------------------------------------ who streams


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([b"text/event-stream"], True),
        ([b"Text/Event-Stream"], True),
        ([b"application/json, text/event-stream;q=0.9"], True),
        ([b"application/json", b"text/event-stream"], True),
        ([b"*/*"], False),
        ([b"text/*"], False),
        ([b"application/json"], False),
        ([b"text/event-strea"], False),
        ([b"\xff\x00"], False),
        ([b""], False),
        ([], False),
    ],
    ids=repr,
)
def test_who_accepts_events_expects_a_stream(accept: list[bytes], expected: bool) -> None:
    scope = http_scope(headers=[(b"accept", value) for value in accept])
    assert expects_events(scope) is expected


def test_no_other_header_asks_for_a_stream() -> None:
    headers = [(b"content-type", b"text/event-stream"), (b"x-accept", b"text/event-stream")]
    assert not expects_events(http_scope(headers=headers))
