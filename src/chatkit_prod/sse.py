"""Server-sent events, without I/O: ChatKit events to bytes, and bytes to events.

The format is the `text/event-stream` of the HTML standard, §9.2.6.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chatkit.errors import CustomStreamError, StreamError
from chatkit.types import (
    ErrorEvent,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
)
from pydantic import BaseModel

from .errors import ConfigurationError

KEEP_ALIVE = b": ping\n"
"""A comment. Without a blank line behind it, because ChatKit's client takes an empty event for a message."""

_WITH_ITEM = (ThreadItemAddedEvent, ThreadItemReplacedEvent, ThreadItemDoneEvent)
_WITH_ITEM_NAMES = frozenset(event.model_fields["type"].default for event in _WITH_ITEM)
_HIDDEN = (HiddenContextItem, SDKHiddenContextItem)
_HIDDEN_NAMES = frozenset(item.model_fields["type"].default for item in _HIDDEN)
_HIDDEN_MARKS = tuple(f'"type":"{name}"'.encode() for name in _HIDDEN_NAMES)

_ERROR = b'data: {"type":"error"'
_CREATED = b'data: {"type":"thread.created"'
_DONE = b'data: {"type":"thread.item.done"'
_USER_MESSAGE = b'"type":"user_message"'

_SERIALIZATION: dict[str, Any] = {
    "by_alias": True,
    "exclude_none": True,
    "context": {"exclude_metadata": True},
}


def encode(event: ThreadStreamEvent) -> bytes:
    """Return an event as ChatKit's server would send it, or nothing for what must not leave.

    Args:
        event: From the server's generator. An event that carries a hidden item is dropped; ChatKit
            itself drops it only from `thread.item.done`.
    """
    if isinstance(event, _WITH_ITEM) and isinstance(event.item, _HIDDEN):
        return b""
    return b"data: " + _dump(event) + b"\n\n"


def _dump(model: BaseModel) -> bytes:
    return type(model).__pydantic_serializer__.to_json(model, **_SERIALIZATION)


def encode_wire(chunk: bytes) -> bytes:
    """Do for bytes that a server's own `process` made what `encode` does for an event.

    Args:
        chunk: One whole event with its blank line.
    """
    if not _mentions_hidden(chunk):
        return chunk
    event = json.loads(chunk.removeprefix(b"data: "))
    hidden = event.get("type") in _WITH_ITEM_NAMES and event["item"].get("type") in _HIDDEN_NAMES
    return b"" if hidden else chunk


def without_hidden_update(answer: bytes) -> bytes:
    """Return the JSON answer of a synchronous action without a hidden item in it.

    Args:
        answer: A `SyncCustomActionResponse` as ChatKit serialised it.
    """
    if not _mentions_hidden(answer):
        return answer
    item: dict[str, Any] | None = json.loads(answer).get("updated_item")
    return b"{}" if item is not None and item.get("type") in _HIDDEN_NAMES else answer


def _mentions_hidden(data: bytes) -> bool:
    return any(mark in data for mark in _HIDDEN_MARKS)


def error_event(
    error: BaseException | None = None, *, message: str | None = None, allow_retry: bool = True
) -> bytes:
    """Return the event that ends a stream which failed.

    Args:
        error: A `StreamError` or `CustomStreamError` is sent as ChatKit would send it; of any other
            exception nothing is sent.
        message: A text that the client shows as it is, already in the user's language.
        allow_retry: Whether the client offers to try again.
    """
    match error:
        case CustomStreamError():
            event = ErrorEvent(code="custom", message=error.message, allow_retry=error.allow_retry)
        case StreamError():
            event = ErrorEvent(code=error.code, allow_retry=error.allow_retry)
        case _ if message is not None:
            event = ErrorEvent(code="custom", message=message, allow_retry=allow_retry)
        case _:
            event = ErrorEvent.model_validate({"code": "stream.error", "allow_retry": allow_retry})
    return encode(event)


def is_error(chunk: bytes) -> bool:
    """Tell whether an encoded event is an error."""
    return chunk.startswith(_ERROR)


def is_prelude(chunk: bytes) -> bool:
    """Tell whether an encoded event comes before `respond`: the new thread, the user's own message.

    Until then ChatKit has only stored what the user sent.
    """
    return chunk.startswith(_CREATED) or (chunk.startswith(_DONE) and _USER_MESSAGE in chunk)


def created_thread(chunk: bytes) -> str | None:
    """Return the id of the thread that encoded events begin by announcing, if they do."""
    if not chunk.startswith(_CREATED):
        return None
    first = chunk.partition(b"\n\n")[0]
    thread_id: str = json.loads(first.removeprefix(b"data: "))["thread"]["id"]
    return thread_id


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One dispatched event.

    Args:
        data: The lines of `data`, joined by line feeds.
        event: The name of the event.
        id: The last event id.
    """

    data: str
    event: str = "message"
    id: str = ""

    def json(self) -> Any:
        """Return the data as JSON."""
        return json.loads(self.data)


class SSEDecoder:
    """Turns chunks of a stream, cut anywhere, into events.

    Args:
        max_event_bytes: The most bytes that are kept while an event is incomplete; a security limit.

    Raises:
        ConfigurationError: The limit is not positive.
    """

    def __init__(self, *, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        if max_event_bytes < 1:
            message = "max_event_bytes must be positive"
            raise ConfigurationError(message)
        self._limit = max_event_bytes
        self._buffer = b""
        self._kept = 0
        self._start = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that are complete with this chunk.

        Raises:
            ValueError: An event is larger than `max_event_bytes`, or is not UTF-8.
        """
        self._buffer += chunk
        events: list[ServerSentEvent] = []
        for line in self._lines():
            if line:
                self._field(line)
                self._kept += len(line)
            else:
                self._kept = 0
                events += self._dispatch()
        if self._kept + len(self._buffer) > self._limit:
            message = "an event is larger than max_event_bytes"
            raise ValueError(message)
        return events

    def _lines(self) -> Iterator[bytes]:
        """Take the complete lines; a carriage return at the end may still belong to a line feed."""
        complete, held = (self._buffer[:-1], b"\r") if self._buffer.endswith(b"\r") else (self._buffer, b"")
        *lines, rest = complete.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._buffer = rest + held
        if lines and self._start:
            self._start = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        yield from lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.decode().partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case _:
                pass

    def _dispatch(self) -> Iterator[ServerSentEvent]:
        data, event = self._data, self._event
        self._data, self._event = [], ""
        if data:
            yield ServerSentEvent("\n".join(data), event or "message", self._id)
