"""Bytes to the events of a page: only what the table below names, and only where it looks as it should.

body → batch → events → fields ┬→ kept: in the table, of its pattern, scrubbed
                               └→ left behind: everything else
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast

from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError
from chatkit_prod.nesting import nests_deeper
from chatkit_prod.scrub import TextScrubber

from . import names

Value = str | int


class Field(NamedTuple):
    """One field that is kept.

    Args:
        attribute: Its name in telemetry.
        allowed: The pattern of its whole text, or the least and the greatest whole number.
    """

    attribute: str
    allowed: re.Pattern[str] | tuple[int, int]


_ID = re.compile(r"[A-Za-z0-9_~:=-][A-Za-z0-9_.~:=-]{0,127}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

FIELDS: Final[Mapping[str, Field]] = {
    "thread_id": Field(names.CONVERSATION_ID, _ID),
    "item_id": Field(names.ITEM_ID, _ID),
    "attachment_id": Field(names.ATTACHMENT_ID, _ID),
    "request_id": Field(names.REQUEST_ID, re.compile(r"[A-Za-z0-9_.:=/+-]{1,128}")),
    "code": Field(names.CLIENT_CODE, _WORD),
    "error": Field(names.ERROR_TYPE, _WORD),
    "status": Field(names.HTTP_STATUS, (100, 599)),
    "duration_ms": Field(names.CLIENT_DURATION, (0, 86_400_000)),
}
"""What is kept of an event's `data`. The module for the browser has the same table."""

EVENT_NAME: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
SESSION: Final = re.compile(r"[0-9a-f]{32}")
TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""Version 00 (W3C Trace Context §3.2.2), which is what our module sends."""

_ERROR_NAME = "chatkit.error"
_MAX_JSON_DEPTH = 8
_MAX_LOST = 10_000
_MAX_MILLISECONDS = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEvent:
    """One event of a page.

    Args:
        kind: `error` for `chatkit.error`, `log` for every other one.
        name: What the page calls it.
        time: When it happened, in milliseconds since the epoch by the clock of the page: untrusted.
        traceparent: Of the ChatKit request that it belongs to.
        fields: What was kept of its data, by the names of telemetry.
    """

    kind: Literal["log", "error"]
    name: str
    time: int | None
    traceparent: str | None
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientBatch:
    """What a page has sent at once.

    Args:
        session: 32 hexadecimal digits that the page has made.
        events: The events that were kept.
        malformed: How many were not, because they have no name that one could have.
        lost: How many the page has thrown away, by its own account: untrusted, but bounded.
    """

    session: str
    events: tuple[ClientEvent, ...]
    malformed: int
    lost: int

    @property
    def size(self) -> int:
        """How many events the page has sent."""
        return len(self.events) + self.malformed


def parse_batch(body: bytes, *, max_events: int, scrubber: TextScrubber | None = None) -> ClientBatch:
    """Return the events of a body; what is not in the tables above is in none of them.

    Args:
        body: JSON as the client sent it; untrusted, already bounded.
        max_events: The most events of a batch.
        scrubber: Goes over every text that is kept, but not over session and `traceparent`: they are digits
            of which the page has rolled every one.

    Raises:
        InvalidRequestError: The body is no JSON object with a session and a list of events.
        ContentTooLargeError: There are more than `max_events`.
    """
    batch = _object(body)
    session = _matching(batch.get("session"), SESSION)
    events: object = batch.get("events")
    if session is None or not isinstance(events, list):
        raise InvalidRequestError
    listed = cast("list[object]", events)
    if len(listed) > max_events:
        raise ContentTooLargeError("max_events")
    kept = tuple(found for event in listed if (found := _event(event, scrubber)) is not None)
    return ClientBatch(
        session=session,
        events=kept,
        malformed=len(listed) - len(kept),
        lost=_between(batch.get("lost"), 0, _MAX_LOST) or 0,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        found = None if nests_deeper(body, _MAX_JSON_DEPTH) else json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidRequestError
    return cast("dict[str, Any]", found)


def _event(event: object, scrubber: TextScrubber | None) -> ClientEvent | None:
    if not isinstance(event, dict):
        return None
    found = cast("dict[str, object]", event)
    name = _matching(found.get("name"), EVENT_NAME)
    if name is None:
        return None
    data = found.get("data")
    return ClientEvent(
        kind="error" if name == _ERROR_NAME else "log",
        name=_scrubbed(name, scrubber),
        time=_between(found.get("time"), 0, _MAX_MILLISECONDS),
        traceparent=_matching(found.get("traceparent"), TRACEPARENT),
        fields=dict(_kept(cast("dict[str, object]", data), scrubber)) if isinstance(data, dict) else {},
    )


def _kept(data: Mapping[str, object], scrubber: TextScrubber | None) -> Iterator[tuple[str, Value]]:
    for key, (attribute, allowed) in FIELDS.items():
        value: Value | None
        if isinstance(allowed, tuple):
            value = _between(data.get(key), *allowed)
        else:
            text = _matching(data.get(key), allowed)
            value = None if text is None else _scrubbed(text, scrubber)
        if value is not None:
            yield attribute, value


def _matching(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _between(value: object, least: int, greatest: int) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if least <= value <= greatest else None


def _scrubbed(text: str, scrubber: TextScrubber | None) -> str:
    return text if scrubber is None else scrubber.scrub(text).text
