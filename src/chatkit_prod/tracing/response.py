"""What one response looks like from outside: how far it came, and how long its events took."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import NamedTuple

from chatkit_prod.asgi import Message, Receive, Send
from chatkit_prod.sse import ERROR_START

from .metrics import UNKNOWN
from .outcome import Seen, Stream
from .request import TracedRequest

_COLON = ord(":")


class Watched(NamedTuple):
    """A response that is watched.

    Args:
        receive: Receives, and notes a client that went away before the end.
        send: Sends, with the request id on the head, and notes what it is.
        seen: Returns how far the response has come.
        close: To be called once, at the end.
    """

    receive: Receive
    send: Send
    seen: Callable[[], Seen]
    close: Callable[[], None]


def watch(receive: Receive, send: Send, request: TracedRequest) -> Watched:  # noqa: C901 - of small functions
    """Watch one response.

    These are closures, since a stream has thousands of messages: an object with attributes would take twice as
    long over each of them.

    Args:
        receive: The ASGI channel.
        send: The ASGI channel.
        request: Its id goes into `x-request-id`, unless the app sets one.
    """
    status: int | None = None
    streams_as: str | None = None
    is_disconnected = is_closed = False
    last_message: Message = {}
    before_last = last = b""  # events: behind an `error`, ChatKit sends at most that the thread has changed
    events = 0
    first_event_at = last_event_at = longest_gap = 0.0

    async def watched_receive() -> Message:
        nonlocal is_disconnected
        message = await receive()
        if message["type"] == "http.disconnect" and not is_last(last_message):
            is_disconnected = True
        return message

    def watched_send(message: Message) -> Awaitable[None]:
        nonlocal last_message, last_event_at, events, before_last, last
        last_message = message
        if streams_as is None:
            if message["type"] == "http.response.start":
                message = begin(message)
            return send(message)
        body = message.get("body")
        if body and body[0] != _COLON:  # else a comment, which keeps the connection alive
            now = perf_counter()
            if now - last_event_at > longest_gap:
                note_gap(now, body)
            last_event_at = now
            events += 1
            before_last, last = last, body
        return send(message)

    def note_gap(now: float, body: bytes) -> None:
        nonlocal events, first_event_at, longest_gap
        if events == 0:
            first_event_at = now
            events = max(bytes(body).count(b"\n\n") - 1, 0)  # those of the prelude come together
        else:
            longest_gap = now - last_event_at

    def begin(message: Message) -> Message:
        nonlocal status, streams_as
        status = message["status"]
        if is_stream(message) and not is_closed:
            streams_as = request.operation_name or UNKNOWN
            request.metrics.stream_began(streams_as)
        return with_request_id(message, request.state.request_id)

    def seen() -> Seen:
        stream = Stream(events, first_event_at - request.started, longest_gap) if events else None
        has_error = any(bytes(event).startswith(ERROR_START) for event in (last, before_last))
        return Seen(status, is_last(last_message), has_error, is_disconnected, stream)

    def close() -> None:
        nonlocal is_closed
        is_closed = True
        if streams_as is not None:
            request.metrics.stream_ended(streams_as, events)

    return Watched(watched_receive, watched_send, seen, close)


def is_last(message: Message) -> bool:
    """Tell whether a message is the end of a response."""
    kind = message.get("type")
    if kind in {"http.response.body", "http.response.zerocopysend"}:
        return not message.get("more_body")
    if kind == "http.response.trailers":
        return not message.get("more_trailers")
    return kind == "http.response.pathsend"


def is_stream(head: Message) -> bool:
    """Tell whether a response is a stream of events."""
    return any(
        value.startswith(b"text/event-stream") and name.lower() == b"content-type"
        for name, value in head.get("headers", ())
    )


def with_request_id(head: Message, request_id: str) -> Message:
    """Return the head of a response with the request id: a copy, unless the app has set one."""
    headers = head.get("headers", ())
    for name, _ in headers:
        if name.lower() == b"x-request-id":
            return head
    return {**head, "headers": [*headers, (b"x-request-id", request_id.encode())]}


def identified(send: Send, request_id: str) -> Send:
    """Return what sends a response with the request id on it, and watches nothing."""

    def send_identified(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = with_request_id(message, request_id)
        return send(message)

    return send_identified
