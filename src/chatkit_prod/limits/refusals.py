"""What a client is told that has to come back later."""

from starlette.responses import Response

from chatkit_prod.errors import RateLimitedError, UnavailableError
from chatkit_prod.refusal import refuse, refuse_stream, stream_headers
from chatkit_prod.sse import error_event
from chatkit_prod.state import RequestState

_WORTH_A_RETRY = 60
"""Seconds: for a longer wait, the client offers no button to try again."""


def refuse_limited(refusal: RateLimitedError, state: RequestState, *, streaming: bool) -> Response:
    """Return a 429 problem; for a streaming request, an `error` event in the user's language.

    ChatKit's client shows no body of a 4xx to a stream, and so would not say when to come back.

    Args:
        refusal: Which rule, and for how long.
        state: Gets the outcome.
        streaming: Whether the client waits for events.
    """
    if not streaming:
        return refuse(refusal, state)
    state.outcome = "refused"
    retry = refusal.retry_after is None or refusal.retry_after <= _WORTH_A_RETRY
    response = Response(error_event(message=refusal.text(state.translations), allow_retry=retry))
    response.raw_headers = [*stream_headers(state), (b"content-length", b"%d" % len(response.body))]
    return response


def refuse_unchecked(state: RequestState, *, streaming: bool) -> Response:
    """Return a 503 problem, as the counters cannot be asked; for a streaming request, an `error` event in a 200.

    Args:
        state: Gets the outcome.
        streaming: Whether the client waits for events.
    """
    error = UnavailableError("limits", retry_after=2)
    return refuse_stream(error, state) if streaming else refuse(error, state)
