"""What no pattern can find, such as names: asked for sentence by sentence, of a text without what patterns have found.

So the detector sees less of what is personal, and a stream and the whole text are cut alike.
"""

from collections.abc import Iterable, Iterator, Sequence

from .detector import Finding, SentenceDetector
from .markers import Replace
from .sentences import Sentences


class BySentence:
    """A text that arrives in pieces, and leaves by the sentence, without what is found in it.

    Args:
        detectors: Find it.
        replace: Makes what stands there instead.

    Attributes:
        findings: What has been found, by offsets in the text that arrives.
    """

    def __init__(self, detectors: Sequence[SentenceDetector], replace: Replace) -> None:
        self._detectors = detectors
        self._replace = replace
        self._sentences = Sentences()
        self._markers: list[tuple[int, int]] = []
        self._begin = 0
        self.findings: list[Finding] = []

    def feed(self, delta: str, markers: Iterable[tuple[int, int]]) -> str:
        """Return the sentences that end with this piece.

        Args:
            delta: What has arrived.
            markers: Where in the whole text something has been replaced already: nothing is found there.
        """
        self._markers += markers
        return "".join(map(self._without, self._sentences.feed(delta)))

    def finish(self) -> str:
        """Return the rest."""
        return self._without(self._sentences.finish())

    def _without(self, sentence: str) -> str:
        begin, self._begin = self._begin, self._begin + len(sentence)
        parts: list[str] = []
        end = 0
        for kind, start, stop, name in _merged(self._found_in(sentence, begin)):
            parts += (sentence[end:start], self._replace(kind, sentence[start:stop]))
            self.findings.append(Finding(kind, begin + start, begin + stop, name))
            end = stop
        self._markers = [marker for marker in self._markers if marker[1] > self._begin]
        return "".join([*parts, sentence[end:]])

    def _found_in(self, sentence: str, begin: int) -> list[Finding]:
        if not sentence:
            return []
        found = [finding for detector in self._detectors for finding in detector.find(sentence)]
        for start, end in self._markers:
            found = [part for finding in found for part in _outside(finding, start - begin, end - begin)]
        return sorted(
            (finding for finding in found if sentence[finding.start : finding.end].strip()),
            key=lambda finding: (finding.start, -finding.end),
        )


def _outside(finding: Finding, start: int, end: int) -> Iterator[Finding]:
    """Yield what of a finding is not in a marker."""
    if finding.start < start:
        yield finding._replace(end=min(finding.end, start))
    if finding.end > end:
        yield finding._replace(start=max(finding.start, end))


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without overlaps; of several, the first gives its type."""
    merged: list[Finding] = []
    for finding in findings:
        if merged and finding.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, finding.end))
        else:
            merged.append(finding)
    return merged
