"""Server-sent events, without I/O: ChatKit events to bytes, and bytes to events.

The format is the `text/event-stream` of the HTML standard, §9.2.6.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from chatkit.errors import CustomStreamError, StreamError
from chatkit.types import (
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadCreatedEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
)
from pydantic import BaseModel

from .errors import ConfigurationError

KEEP_ALIVE = b": ping\n"
"""A comment. Without a blank line behind it, because ChatKit's client takes an empty event for a message."""

_WITH_ITEM = (ThreadItemAddedEvent, ThreadItemReplacedEvent, ThreadItemDoneEvent)
_WITH_THREAD = (ThreadCreatedEvent, ThreadUpdatedEvent)
_HIDDEN = (HiddenContextItem, SDKHiddenContextItem)
_HIDDEN_NAMES = frozenset(item.model_fields["type"].default for item in _HIDDEN)
_HIDDEN_MARKS = tuple(f'"{name}"'.encode() for name in _HIDDEN_NAMES)

ERROR_START = b'data: {"type":"error"'
"""What an encoded `error` event begins with."""
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
        event: From the server's generator. A hidden item is dropped with its event, or from the
            thread that it stands in; ChatKit itself drops it only from `thread.item.done`.
    """
    if isinstance(event, _WITH_ITEM):
        if isinstance(event.item, _HIDDEN):
            return b""
    elif isinstance(event, _WITH_THREAD) and any(
        isinstance(item, _HIDDEN) for item in event.thread.items.data
    ):
        event = event.model_copy(deep=True)
        event.thread.items.data = [item for item in event.thread.items.data if not isinstance(item, _HIDDEN)]
    return b"data: " + _dump(event) + b"\n\n"


def _dump(model: BaseModel) -> bytes:
    return type(model).__pydantic_serializer__.to_json(model, **_SERIALIZATION)


class WireEncoder:
    """Does for the bytes of a server with its own `process` what `encode` does for an event."""

    def __init__(self) -> None:
        self._held = b""

    def __call__(self, chunk: bytes) -> bytes:
        """Return the events that are complete with this chunk, without what must not leave.

        Args:
            chunk: A part of the stream; a server may cut it anywhere.
        """
        text = (self._held + chunk).replace(b"\r\n", b"\n")
        complete, blank, self._held = text.rpartition(b"\n\n")
        if not _mentions_hidden(complete):
            return complete + blank
        return b"".join(_without_hidden_items(event) for event in complete.split(b"\n\n"))


def _without_hidden_items(encoded: bytes) -> bytes:
    if not _mentions_hidden(encoded):
        return encoded + b"\n\n"
    event = json.loads(encoded.removeprefix(b"data:"))
    if _is_hidden(event.get("item")):
        return b""
    if "thread" in event:
        items = event["thread"]["items"]
        items["data"] = [item for item in items["data"] if not _is_hidden(item)]
        return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
    return encoded + b"\n\n"


def without_hidden_update(answer: bytes) -> bytes:
    """Return the JSON answer of a synchronous action without a hidden item in it.

    Args:
        answer: A `SyncCustomActionResponse`, or the answer of another operation.
    """
    if not _mentions_hidden(answer):
        return answer
    update = json.loads(answer)
    return (
        b"{}" if isinstance(update, dict) and _is_hidden(cast("Any", update).get("updated_item")) else answer
    )


def _is_hidden(item: Any) -> bool:
    return isinstance(item, dict) and cast("Any", item).get("type") in _HIDDEN_NAMES


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
            return _error("custom", str(error.message), allow_retry=error.allow_retry)
        case StreamError():
            return _error(str(getattr(error.code, "value", error.code)), None, allow_retry=error.allow_retry)
        case _:
            return _error("custom" if message else "stream.error", message, allow_retry=allow_retry)


def _error(code: str, message: str | None, *, allow_retry: bool) -> bytes:
    event = {"type": "error", "code": code, "message": message, "allow_retry": allow_retry}
    present = {name: value for name, value in event.items() if value is not None}
    text = json.dumps(present, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + text.encode(errors="replace") + b"\n\n"


def is_error(chunk: bytes) -> bool:
    """Tell whether an encoded event is an error."""
    return chunk.startswith(ERROR_START)


def is_prelude(chunk: bytes) -> bool:
    """Tell whether an encoded event comes before `respond`: the new thread, the user's own message.

    Until then ChatKit has only stored what the user sent.
    """
    return chunk.startswith(_CREATED) or (chunk.startswith(_DONE) and _USER_MESSAGE in chunk)


def created_thread(chunk: bytes) -> str | None:
    """Return the id of the thread that encoded events begin by announcing, if they do."""
    if not chunk.startswith(_CREATED):
        return None
    event = json.loads(chunk.partition(b"\n\n")[0].removeprefix(b"data: "))
    thread_id = event.get("thread", {}).get("id")
    return thread_id if isinstance(thread_id, str) else None


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


_TOO_LARGE = "an event is larger than max_event_bytes"


class SSEDecoder:
    """Turns chunks of a stream, cut anywhere, into events.

    Args:
        max_event_bytes: The most bytes that are kept while an event is incomplete; a security limit.

    Raises:
        ConfigurationError: The limit is not positive.
    """

    def __init__(self, *, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        if max_event_bytes < 1:
            raise ConfigurationError("max_event_bytes must be positive")
        self._limit = max_event_bytes
        self._line = bytearray()
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
        events: list[ServerSentEvent] = []
        for line in self._lines(chunk):
            self._kept += len(line)
            if self._kept > self._limit:
                raise ValueError(_TOO_LARGE)
            if line:
                self._field(line)
            else:
                self._kept = 0
                events += self._dispatch()
        if self._kept + len(self._line) > self._limit:
            raise ValueError(_TOO_LARGE)
        return events

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Take the complete lines; a carriage return at the end may still belong to a line feed."""
        if self._line.endswith(b"\r") or b"\n" in chunk or b"\r" in chunk:
            text = bytes(self._line) + chunk
            complete, held = (text[:-1], b"\r") if text.endswith(b"\r") else (text, b"")
            *lines, rest = complete.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            self._line = bytearray(rest + held)
            if lines and self._start:
                self._start = False
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            yield from lines
        else:
            self._line += chunk

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
