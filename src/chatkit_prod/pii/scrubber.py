"""Takes personal data out of texts, whole or while they arrive.

    fold → triggers → detectors → merged → markers

For every text, and every way to cut it, what a stream releases is together what `scrub` returns.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named

from .by_sentence import BySentence
from .detector import Detector, Finding, SentenceDetector
from .detectors import DETECTORS
from .engine import EngineName, engine_of
from .fold import fold
from .markers import Action, markers
from .matcher import Matcher
from .window import Window


class Scrubbed(NamedTuple):
    """A text without the personal data that was found in it.

    Args:
        text: What is left, with markers.
        findings: What has been found, by offsets in the text as it was; never what it is.
    """

    text: str
    findings: tuple[Finding, ...]


class Scrubber:
    """Finds personal data and secrets, and puts markers there.

    It has no state: one does for all threads of a process.

    Args:
        detectors: What to look for; of two that find something at one place, the longer match names it, or else
            the first of them.
        action: What stands there instead: `mask` hides even what it was; `label` tells its type; `pseudonym`
            gives each value a name which is the same within a scope; `hash` one that is the same everywhere.
        key: Of the pseudonyms and hashes: 16 to 64 random bytes, the same in every process; without one, they
            are of this process only.
        allow: What is left alone, in any case, such as an address of your own: texts, or patterns that fit the
            whole of it.
        engine: Searches for what may be personal; `auto` is RE2 where it is installed. The result is the same.

    Attributes:
        detectors: The same.
        is_slow: Whether it is to be called off the event loop, since it asks a `SentenceDetector`.

    Raises:
        ConfigurationError: A detector is none, or its pattern is not one of `pattern.py`; an option is wrong.
    """

    def __init__(
        self,
        detectors: Iterable[Detector | SentenceDetector] = DETECTORS,
        *,
        action: Action = "mask",
        key: bytes | None = None,
        allow: Iterable[str | re.Pattern[str]] = (),
        engine: EngineName = "auto",
    ) -> None:
        self.detectors = tuple(detectors)
        for found in self.detectors:
            if not isinstance(found, Detector | SentenceDetector):
                raise ConfigurationError(f"detectors must hold Detectors, not {named(found)}")
        self._by_sentence = tuple(found for found in self.detectors if not isinstance(found, Detector))
        self.is_slow = bool(self._by_sentence)
        self._markers = markers(action, key)
        self._matcher = _matcher(_allowing(self.detectors, tuple(allow)), engine)

    def scrub(self, text: str, /, *, scope: str = "") -> Scrubbed:
        """Return a text without the personal data that was found in it.

        Args:
            text: As a user or a program wrote it: untrusted.
            scope: Within which pseudonyms are the same, such as the id of a thread.
        """
        replace = self._markers(scope)
        window = Window(self._matcher, replace)
        released = window.feed(text, is_last=True)
        if not self._by_sentence:
            return Scrubbed(released, tuple(window.findings))
        by_sentence = BySentence(self._by_sentence, replace)
        scrubbed = by_sentence.feed(released, window.markers) + by_sentence.finish()
        return Scrubbed(scrubbed, tuple(_together(window, by_sentence)))

    def stream(self, *, scope: str = "") -> "StreamScrubber":
        """Return what scrubs one text while it arrives.

        Args:
            scope: Within which pseudonyms are the same, such as the id of a thread.
        """
        replace = self._markers(scope)
        by_sentence = BySentence(self._by_sentence, replace) if self._by_sentence else None
        return StreamScrubber(Window(self._matcher, replace), by_sentence)


class StreamScrubber:
    """Scrubs one text while it arrives; holds back only what more text could still change.

    With a `SentenceDetector`, that is the sentence.

    Args:
        window: Finds what patterns can find.
        by_sentence: Finds the rest, if there is anything to.

    Attributes:
        counts: How many findings there were, by type.
    """

    __slots__ = ("_by_sentence", "_window", "counts")

    def __init__(self, window: Window, by_sentence: BySentence | None) -> None:
        self._window = window
        self._by_sentence = by_sentence
        self.counts: Counter[str] = Counter()

    def feed(self, delta: str) -> str:
        """Return what can be let go with the next piece of the text.

        Args:
            delta: Of any length: untrusted.
        """
        released = self._window.feed(delta)
        if self._by_sentence is not None:
            released = self._by_sentence.feed(released, self._window.markers)
        if self._window.findings or self._by_sentence is not None:
            self._count()
        return released

    def finish(self) -> str:
        """Return the rest; nothing may be fed behind it."""
        released = self._window.feed("", is_last=True)
        if self._by_sentence is not None:
            released = self._by_sentence.feed(released, self._window.markers) + self._by_sentence.finish()
        self._count()
        return released

    def _count(self) -> None:
        for stage in (self._window, self._by_sentence):
            if stage is not None and stage.findings:
                self.counts.update(finding.type for finding in stage.findings)
                stage.findings.clear()
        self._window.markers.clear()


@lru_cache(maxsize=32)
def _matcher(detectors: tuple[Detector, ...], engine: EngineName) -> Matcher:
    return Matcher(detectors, engine_of(engine))


def _allowing(detectors: Iterable[object], allow: tuple[str | re.Pattern[str], ...]) -> tuple[Detector, ...]:
    """Return the detectors, as far as they go by patterns, without what is left alone."""
    by_pattern = (found for found in detectors if isinstance(found, Detector))
    if not allow:
        return tuple(by_pattern)
    texts = frozenset(fold(text).text.casefold() for text in allow if isinstance(text, str))
    patterns = tuple(pattern for pattern in allow if isinstance(pattern, re.Pattern))
    if len(texts) + len(patterns) < len(set(allow)):
        raise ConfigurationError("allow must hold texts and compiled patterns")

    def is_left_alone(value: str) -> bool:
        return value.casefold() in texts or any(pattern.fullmatch(value) for pattern in patterns)

    def with_allowed(detector: Detector) -> Detector:
        def check(value: str) -> bool:
            return not is_left_alone(value) and (detector.check is None or detector.check(value))

        return replace(detector, check=check)

    return tuple(map(with_allowed, by_pattern))


def _together(window: Window, by_sentence: BySentence) -> Iterator[Finding]:
    """Yield the findings of both, in their order, by offsets in the text as it was."""
    shift = 0
    later = list(by_sentence.findings)
    for finding, (start, end) in zip(window.findings, window.markers, strict=True):
        while later and later[0].start < start:
            yield _shifted(later.pop(0), shift)
        yield finding
        shift = finding.end - end
    for finding in later:
        yield _shifted(finding, shift)


def _shifted(finding: Finding, shift: int) -> Finding:
    return finding._replace(start=finding.start + shift, end=finding.end + shift)
