"""The answer to one request, without personal data: events one by one, JSON as a whole."""

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from pydantic_core import from_json
from starlette.responses import Response

from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.errors import ConfigurationError, InternalError, as_request_error
from chatkit_prod.refusal import refuse, refuse_stream
from chatkit_prod.state import RequestState

from .answers import clean_answer
from .blocks import BlockReader
from .cleaning import SLICE, AnyScrubber, Steps, run
from .counts import Counts
from .events import EventScrubber
from .jsontext import encode

_DELTA = b'"delta":'
_BODY = "http.response.body"
_JSON = frozenset((b"application/json", b"text/json"))
_JSON_BEGINS = (b"{", b"[", b'"')
_SEVERAL_JSON = (b"ndjson", b"jsonl", b"json-seq", b"jsonlines")


class Exchanged(NamedTuple):
    """What belongs to one request.

    Args:
        scope: Its HTTP scope.
        receive: The ASGI channel.
        send: The ASGI channel.
        state: Gets the failure, if there is one.
    """

    scope: Scope
    receive: Receive
    send: Send
    state: RequestState

    @property
    def pseudonyms(self) -> str:
        """What pseudonyms are stable in: the thread, or as long as there is none, the request."""
        return self.state.thread_id or self.state.request_id


class Scrubbed(NamedTuple):
    """A response that is scrubbed.

    Args:
        send: Sends it.
        close: To be called once, at the end.
    """

    send: Send
    close: Callable[[], None]


def scrub_response(exchanged: Exchanged, scrubber: AnyScrubber, counts: Counts) -> Scrubbed:
    """Return what scrubs one response, as soon as its head says what it is."""
    body: Scrubbed | None = None

    def send_scrubbed(message: Message) -> Awaitable[None]:
        nonlocal body
        if body is not None:
            return body.send(message)
        if message["type"] not in {"http.response.start", _BODY}:
            return exchanged.send(message)
        kind = _kind_of(message)
        is_stream = kind == "stream"
        if kind == "unreadable" or (kind != "other" and _is_encoded(message)):
            body = Scrubbed(_swallow, _nothing_found)
            return _refuse(_unreadable(), exchanged, is_stream=is_stream)
        if kind == "other":
            body = Scrubbed(exchanged.send, _nothing_found)
            return exchanged.send(message)
        if is_stream:
            body = _stream(exchanged, scrubber, counts)
            return exchanged.send(_with_length(message, None))
        body = _answer(message, exchanged, scrubber, counts, is_untyped=kind == "untyped")
        return _nothing()

    def close() -> None:
        if body is not None:
            body.close()

    return Scrubbed(send_scrubbed, close)


def as_internal(error: Exception) -> Exception:
    """Return what a scrubber has raised as a failure of ours: nobody gets to see a word of it."""
    if type(as_request_error(error)) is InternalError:
        return error
    return InternalError().with_traceback(error.__traceback__)


def refusal_of(error: Exception, state: RequestState, *, is_stream: bool) -> Response:
    """Return what is answered where scrubbing has failed, and note it."""
    return (refuse_stream if is_stream else refuse)(as_internal(error), state)


def _stream(exchanged: Exchanged, scrubber: AnyScrubber, counts: Counts) -> Scrubbed:  # noqa: C901 - of small functions
    """Scrub a stream of events.

    These are closures, since a stream has thousands of messages: an object with attributes would take twice as
    long over each of them.
    """
    send = exchanged.send
    reader = BlockReader()
    events = EventScrubber(scrubber, exchanged.pseudonyms)
    frame_of = events.frames.get
    is_over = False

    def send_event(message: Message) -> Awaitable[None]:
        body: bytes = message.get("body", b"")
        start = body.find(_DELTA) + len(_DELTA)
        frame = frame_of(body[:start])
        if frame is None or is_over or not reader.is_idle or not message.get("more_body"):
            return send_any(message)
        feed, end = frame
        if len(body) > SLICE or not body.endswith(end):
            return send_any(message)
        try:
            delta = from_json(body[start : -len(end)])
        except ValueError:  # more than one event, or no event at all
            return send_any(message)
        if not isinstance(delta, str):
            return send_any(message)
        try:
            released = feed(delta)
        except Exception as error:  # noqa: BLE001 - a scrubber may raise anything
            return fail(error)
        if released == delta:
            return send(message)
        if not released:
            return _nothing()
        return send({"type": _BODY, "body": body[:start] + encode(released) + end, "more_body": True})

    async def send_any(message: Message) -> None:
        nonlocal is_over
        if is_over:
            return
        try:
            body = _body_of(message)
            is_over = not message.get("more_body")
            cleaned = await run(clean(body, is_last=is_over), is_slow=scrubber.is_slow)
        except Exception as error:  # noqa: BLE001 - a scrubber may raise anything
            await fail(error)
            return
        if cleaned == body:
            await send(message)
        elif cleaned or is_over:
            await send({"type": _BODY, "body": cleaned, "more_body": not is_over})

    def clean(body: bytes, *, is_last: bool) -> Steps[bytes]:
        cleaned = b""
        for block in reader.feed(body):
            cleaned += yield from events.scrub(block)
        if is_last:
            cleaned += yield from events.finish()
        return cleaned

    async def fail(error: Exception) -> None:
        nonlocal is_over
        is_over = True
        response = refusal_of(error, exchanged.state, is_stream=True)
        await send({"type": _BODY, "body": response.body, "more_body": False})

    def close() -> None:
        counts.add(events.found, "stream")

    return Scrubbed(send_event, close)


def _answer(
    head: Message, exchanged: Exchanged, scrubber: AnyScrubber, counts: Counts, *, is_untyped: bool
) -> Scrubbed:
    """Scrub an answer when all of it is there; what does not say that it is JSON need not be."""
    chunks: list[bytes] = []
    is_over = False

    async def send_answer(message: Message) -> None:
        nonlocal is_over
        if is_over:
            return
        try:
            chunks.append(_body_of(message))
            if message.get("more_body"):
                return
            is_over = True
            body = b"".join(chunks)
            if is_untyped and not body.lstrip().startswith(_JSON_BEGINS):
                await exchanged.send(head)
                await exchanged.send({"type": _BODY, "body": body})
                return
            steps = clean_answer(body, scrubber, scope=exchanged.pseudonyms)
            cleaned, found = await run(steps, is_slow=scrubber.is_slow)
        except Exception as error:  # noqa: BLE001 - a scrubber may raise anything
            is_over = True
            await _refuse(error, exchanged, is_stream=False)
            return
        counts.add(found, "answer")
        await exchanged.send(head if cleaned == body else _with_length(head, len(cleaned)))
        await exchanged.send({"type": _BODY, "body": cleaned})

    return Scrubbed(send_answer, _nothing_found)


async def _refuse(error: Exception, exchanged: Exchanged, *, is_stream: bool) -> None:
    response = refusal_of(error, exchanged.state, is_stream=is_stream)
    await response(exchanged.scope, exchanged.receive, exchanged.send)


async def _nothing() -> None: ...


async def _swallow(message: Message) -> None: ...


def _nothing_found() -> None: ...


def _kind_of(message: Message) -> Literal["stream", "json", "untyped", "other", "unreadable"]:
    """Return what the first message of a response says that it is."""
    if message["type"] == _BODY:
        return "unreadable"
    kinds = {
        value.partition(b";")[0].strip().lower()
        for name, value in message.get("headers", ())
        if name.lower() == b"content-type"
    }
    if not kinds:
        return "untyped"
    kind = kinds.pop()
    if kinds or kind.endswith(_SEVERAL_JSON):
        return "unreadable"
    if kind == b"text/event-stream":
        return "stream"
    return "json" if kind in _JSON or kind.endswith(b"+json") else "other"


def _is_encoded(head: Message) -> bool:
    """Tell whether a response is compressed (RFC 9110 §8.4)."""
    return any(
        name.lower() == b"content-encoding" and value.lower() != b"identity"
        for name, value in head.get("headers", ())
    )


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "PIIMiddleware reads JSON, or a stream of events, with one Content-Type and before it is compressed"
    )


def _with_length(head: Message, length: int | None) -> Message:
    """Return the head of a response with another length, or with none."""
    headers = [(name, value) for name, value in head.get("headers", ()) if name.lower() != b"content-length"]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {**head, "headers": headers}


def _body_of(message: Message) -> bytes:
    """Return the bytes of a message.

    Raises:
        ConfigurationError: It brings its bytes in a way that nobody here can look into.
    """
    if message["type"] != _BODY:
        raise ConfigurationError(f"an app inside PIIMiddleware cannot send {message['type']}")
    body: bytes = bytes(message.get("body", b""))
    return body
