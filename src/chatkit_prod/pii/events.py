"""The events of one stream without personal data: every text that grows has a window of its own.

An address may be spread over many deltas. What a window still holds when its text ends is sent in front of that
end, as one more delta. Texts that come whole are scrubbed whole, which by the law of `Scrubber` gives the same.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chatkit_prod.sse import KEEP_ALIVE

from .blocks import Block
from .cleaning import AnyScrubber, Cleaner, Steps, Window, pour
from .growing import Grows, Place, ended_by, growing_in, thread_of
from .jsontext import decode, encode, is_object
from .walk import Shape, event_shape, texts

_FRAME = re.compile(
    rb'data: \{"type":"thread\.item\.updated","item_id":"[^"\\\r\n]*","update":\{'
    rb'(?:"type":"assistant_message\.content_part\.text_delta","content_index":[0-9]+'
    rb'|("type":"widget\.streaming_text\.value_delta","component_id":"[^"\\\r\n]*")),"delta":(?=")'
)
_TEXT_END: Final = b"}}\n\n"
_VALUE_END: Final = b',"done":false}}\n\n'
_FIELDS = (b"event", b"id", b"retry")


class Frame(NamedTuple):
    """What stands around the delta in the events of one text, as ChatKit writes them.

    Args:
        feed: Takes the delta.
        end: The bytes behind it.
    """

    feed: Callable[[str], str]
    end: bytes


class _Growing:
    """A text that comes in parts, and its window."""

    __slots__ = ("frame", "last", "raw", "shown", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.raw = self.shown = ""
        self.last: Grows | None = None
        self.frame = b""

    def take(self, grows: Grows) -> Steps[bool]:
        """Leave in an event what can be shown of its text, and return whether that is another one."""
        self.last = grows
        text: str = grows.holder[grows.key]
        released = yield from pour(self.window.feed, text.removeprefix(self.raw))
        if grows.is_whole:
            self.raw = text
            self.shown = released = self.shown + released
        grows.holder[grows.key] = released
        return released != text

    def finish(self) -> bytes:
        """Return the event that shows the rest; nothing if there is no rest."""
        rest = self.window.finish()
        if not rest or self.last is None:
            return b""
        self.last.next_holder[self.last.next_key] = self.shown + rest
        return b"data: " + encode(self.last.next) + b"\n\n"


class EventScrubber:
    """Scrubs the events of one stream, in their order.

    Args:
        scrubber: What is taken out.
        thread_id: The thread, as far as it is known before the first event.

    Attributes:
        frames: By what the events of a text begin with, for whoever is in a hurry.
    """

    def __init__(self, scrubber: AnyScrubber, thread_id: str) -> None:
        self.frames: dict[bytes, Frame] = {}
        self._scrubber = scrubber
        self._cleaner = Cleaner(scrubber)
        self._shape = event_shape()
        self._thread_id = thread_id
        self._growing: dict[Place, _Growing] = {}

    @property
    def found(self) -> Counter[str]:
        """What was found so far, by type."""
        return sum((growing.window.counts for growing in self._growing.values()), self._cleaner.found)

    def scrub(self, block: Block) -> Steps[bytes]:
        """Return an event as it may leave, behind what has to leave before it."""
        if block.raw == KEEP_ALIVE:
            return block.raw
        others = yield from self._lines(block.others)
        if block.data is None:
            return block.raw if others is block.others else b"\n".join((*others, block.raw[-1:]))
        try:
            event, says_more = decode(block.data)
        except ValueError:  # no event of ChatKit's: words, as they stand there
            words: list[Any] = [block.data]
            changed = yield from self._cleaner.clean(texts(words, Shape(), self._thread_id))
            return (
                block.with_data(words[0].encode(), others)
                if changed or others is not block.others
                else block.raw
            )
        changed = says_more or others is not block.others
        if is_object(event):
            return (yield from self._event(block, event, others, changed=changed))
        document = [event]
        changed |= yield from self._cleaner.clean(texts(document, self._shape, self._thread_id))
        return block.with_data(encode(document[0]), others) if changed else block.raw

    def finish(self) -> Steps[bytes]:
        """Return what is still held, at the end of the stream."""
        yield
        return self._close(list(self._growing))

    def _event(
        self, block: Block, event: dict[str, Any], others: tuple[bytes, ...], *, changed: bool
    ) -> Steps[bytes]:
        self._thread_id = thread_of(event) or self._thread_id
        before = self._close(ended_by(event, self._growing))
        taken: set[tuple[int, str]] = set()
        is_empty = False
        for grows in growing_in(event):
            text: str = grows.holder[grows.key]
            growing = self._growing.get(grows.place)
            if growing is not None and (grows.begins or not text.startswith(growing.raw)):
                before += self._close([grows.place])
                growing = None
            if growing is None:
                growing = _Growing(self._scrubber.stream(scope=self._thread_id))
                self._growing[grows.place] = growing
            changed |= yield from growing.take(grows)
            taken.add((id(grows.holder), grows.key))
            if grows.key == "delta":
                is_empty = text != "" and grows.holder["delta"] == "" and not grows.holder.get("done")
                self._learn(block, growing)
        changed |= yield from self._cleaner.clean(
            place
            for place in texts([event], self._shape, self._thread_id)
            if (id(place[0]), place[1]) not in taken
        )
        if is_empty:
            return before
        return before + (block.with_data(encode(event), others) if changed else block.raw)

    def _learn(self, block: Block, growing: _Growing) -> None:
        """Remember what an event of this text looks like, if it is as ChatKit writes it."""
        found = None if self._scrubber.is_slow else _FRAME.match(block.raw)
        if found is not None:
            end = _VALUE_END if found[1] else _TEXT_END
            if block.raw.endswith(end):
                growing.frame = found[0]
                self.frames[found[0]] = Frame(growing.window.feed, end)

    def _lines(self, lines: tuple[bytes, ...]) -> Steps[tuple[bytes, ...]]:
        """Scrub what no client reads: comments, and fields that nobody knows."""
        document = [line.decode() for line in lines]
        foreign = (
            (document, index, self._thread_id)
            for index, line in enumerate(lines)
            if line.partition(b":")[0] not in _FIELDS
        )
        changed = yield from self._cleaner.clean(foreign)
        return tuple(line.encode() for line in document) if changed else lines

    def _close(self, places: list[Place]) -> bytes:
        """Return what the windows of some texts still hold."""
        events: list[bytes] = []
        for place in places:
            growing = self._growing[place]
            events.append(growing.finish())
            del self._growing[place]
            self.frames.pop(growing.frame, None)
            self._cleaner.found.update(growing.window.counts)
        return b"".join(events)
