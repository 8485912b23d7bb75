"""What of a text that is still arriving can be let go.

    … released | held: may still become a match, or be changed by one
               hold

A match that begins before `hold` cannot change any more, and none can begin there any more. What a finding replaces
is dropped as it arrives; its marker leaves as soon as it is certain.
"""

import re
from bisect import bisect_left

from .compiled import Match
from .detector import CONTEXT, Finding
from .fold import Folded, fold
from .markers import Replace
from .matcher import Matcher

_TRIM = 4 * CONTEXT


class Window:
    """A text that arrives in pieces, and leaves without what is found in it.

    Args:
        matcher: Finds it.
        replace: Makes what stands there instead.

    Attributes:
        findings: What has been found; the end of the last one may still grow. Who does not want them may clear it.
        markers: Where in what is let go the marker of each stands.
    """

    __slots__ = (
        "_gone",
        "_hold",
        "_ignored",
        "_matcher",
        "_raw",
        "_replace",
        "_sent",
        "_tails",
        "_text",
        "_type",
        "_until",
        "findings",
        "markers",
    )

    def __init__(self, matcher: Matcher, replace: Replace) -> None:
        self._matcher = matcher
        self._replace = replace
        self._raw = ""  # what is held, behind what may be a context of it
        self._text: str | None = ""  # the same, folded, if it is as long
        self._gone = 0  # characters before that
        self._ignored = 0  # invisible characters right before that
        self._hold = 0  # everything before it is final
        self._until = 0  # everything before it has been released, or dropped
        self._sent = 0  # characters that have been let go
        self._type = ""  # of the finding that ends there
        self._tails: list[re.Pattern[str]] = []  # which may go on from there
        self.findings: list[Finding] = []
        self.markers: list[tuple[int, int]] = []

    @property
    def held(self) -> int:
        """How many characters are held back."""
        return len(self._raw) - max(self._hold, self._until)

    def feed(self, delta: str, *, is_last: bool = False) -> str:
        """Return what can be let go with this piece.

        Args:
            delta: What has arrived: untrusted.
            is_last: Whether nothing comes behind it.
        """
        raw = self._raw + delta
        folded = self._folded(raw, delta)
        self._raw = raw
        text, offsets, _ = folded
        self._text = text if offsets is None else None
        begin = self._hold if offsets is None else bisect_left(offsets, self._hold)
        stop, is_clean = (len(text), False) if is_last else self._matcher.pending(text, begin)
        matches = [] if is_clean else self._matcher.matches(raw, folded, begin, stop)
        hold = stop if offsets is None else offsets[stop]
        released = self._without(matches, folded) if matches or self._tails else ""
        if is_last:
            self._tails = []
        if not self._tails:  # else there are only invisible characters behind, which may be part of it
            released += self._released(hold)
        self._sent += len(released)
        self._hold = hold
        if hold > _TRIM:
            self._trim(hold - CONTEXT - 1)  # one more: a word of a context does not stand within another
        return released

    def _folded(self, raw: str, delta: str) -> Folded:
        """Return the text with what has arrived, as patterns see it."""
        before = self._text
        if before is None or not before:
            return fold(raw, self._ignored)
        if delta.isascii() and "\\" not in delta and before[-1] != "\\":
            return Folded(before + delta, None, 0)
        arrived = fold(delta, is_escaped=self._raw.endswith("\\"))
        return Folded(before + arrived.text, None, 0) if arrived.offsets is None else fold(raw, self._ignored)

    def _without(self, matches: list[Match], folded: Folded) -> str:
        """Return the text up to the last match, with markers instead of matches."""
        text, offsets, _ = folded
        self._go_on(folded)
        parts: list[str] = []
        at = self._sent
        for start, end, value_end, order in matches:
            detector = self._matcher.detectors[order]
            begin, stop = (start, end) if offsets is None else (offsets[start], offsets[end - 1] + 1)
            if (
                not self._type
                or begin > self._until
                or (begin == self._until and detector.type != self._type)
            ):
                before = self._released(begin)
                marker = self._replace(detector.type, text[start:value_end])
                parts += (before, marker)
                at += len(before) + len(marker)
                self.markers.append((at - len(marker), at))
                self._type = detector.type
                self.findings.append(
                    Finding(detector.type, self._gone + begin, self._gone + stop, detector.name)
                )
                self._until = stop
            if detector.tail and end == len(text):
                self._tails.append(re.compile(f"[{detector.tail}]*"))
            self._drop(stop)
        return "".join(parts)

    def _go_on(self, folded: Folded) -> None:
        """Drop what the tails of the last finding go on with."""
        text, offsets, _ = folded
        begin = self._until if offsets is None else bisect_left(offsets, self._until)
        going_on: list[re.Pattern[str]] = []
        for tail in self._tails:
            found = tail.match(text, begin)
            end = begin if found is None else found.end()
            if end > begin:
                self._drop(end if offsets is None else offsets[end - 1] + 1)
            if end == len(text):
                going_on.append(tail)
        self._tails = going_on

    def _drop(self, end: int) -> None:
        """Let the last finding go as far as here, at least."""
        if end > self._until:
            self._until = end
            if self.findings:
                self.findings[-1] = self.findings[-1]._replace(end=self._gone + end)

    def _released(self, end: int) -> str:
        """Return the text up to here, as far as it is neither released nor dropped yet."""
        until = self._until
        if end <= until:
            return ""
        self._until, self._type = end, ""
        return self._raw[until:end]

    def _trim(self, size: int) -> None:
        """Forget the beginning of the text."""
        self._ignored = fold(self._raw[:size], self._ignored).ignored
        self._raw = self._raw[size:]
        if self._text is not None:
            self._text = self._text[size:]
        self._gone += size
        self._hold -= size
        self._until -= size
