"""The answer to a request that is refused, or that failed before there was one.

Refusals become problem bodies. An internal error of a streaming request becomes an `error` event in
a 200 stream: for a 5xx, ChatKit's client would send the request six times.
"""

import json
import logging
from gettext import NullTranslations

from starlette.responses import Response

from .asgi import Scope, header_values
from .errors import (
    AppError,
    InternalError,
    RequestError,
    UnavailableError,
    as_request_error,
    phrase,
    stack_of,
)
from .sse import error_event
from .state import RequestState

logger = logging.getLogger("chatkit_prod")


def expects_events(scope: Scope) -> bool:
    """Tell whether a request streams, before its body is read: ChatKit's client then accepts events.

    Args:
        scope: An HTTP scope; its `Accept` is untrusted.
    """
    return any(b"text/event-stream" in value.lower() for value in header_values(scope, b"accept"))


def refuse(error: Exception, state: RequestState) -> Response:
    """Return the problem body for a refusal, or for what the app raised, and note the outcome.

    Args:
        error: Anything but a refusal on purpose is logged, without its message; so is not what we
            could not ask about, because whoever could not be asked is in the log already.
        state: Gets the outcome.
    """
    return _problem(_explain(error, state), state)


def refuse_stream(error: Exception, state: RequestState) -> Response:
    """Do the same for a streaming request, where only a refusal may have a status of its own."""
    refusal = _explain(error, state)
    if not isinstance(refusal, InternalError | AppError):
        return _problem(refusal, state)
    response = Response(error_event(error))
    response.raw_headers = [
        *stream_headers(state),
        (b"content-length", str(len(response.body)).encode()),
    ]
    return response


def problem(error: RequestError, *, request_id: str, translations: NullTranslations) -> Response:
    """Make the response for a refusal: RFC 9457, and the JSON `message` that the ChatKit client shows.

    Args:
        error: What is wrong.
        request_id: Ends up in the body and in `x-request-id`.
        translations: The catalog of the user's language.
    """
    body = {
        "type": "about:blank",
        "title": phrase(error.status),
        "status": error.status,
        "code": error.code,
        "message": error.text(translations),
        "request_id": request_id,
        **error.members,
    }
    return Response(
        json.dumps(body).encode(),
        status_code=error.status,
        media_type="application/problem+json",
        headers={"x-request-id": request_id, "cache-control": "no-store", **error.headers},
    )


def _explain(error: Exception, state: RequestState) -> RequestError:
    refusal = as_request_error(error)
    if isinstance(refusal, InternalError) and not isinstance(refusal, UnavailableError):
        logger.error("request %s failed\n%s", state.request_id, stack_of(error))
    if isinstance(refusal, InternalError | AppError):
        state.fail(error)
    else:
        state.outcome = "refused"
    return refusal


def _problem(refusal: RequestError, state: RequestState) -> Response:
    return problem(refusal, request_id=state.request_id, translations=state.translations)


def stream_headers(state: RequestState) -> list[tuple[bytes, bytes]]:
    """Return the headers of a stream: nobody between us and the client may buffer or change it."""
    return [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"x-request-id", state.request_id.encode()),
    ]
