"""What scrubbing means, written down as plainly as it goes, and as slowly."""

import re
from collections.abc import Sequence

from chatkit_prod.pii.detector import CONTEXT, Detector, Finding
from chatkit_prod.pii.fold import OTHER, fold


def findings(text: str, detectors: Sequence[Detector]) -> list[Finding]:
    """Return the findings in a text: every detector at every place, then what overlaps merged."""
    folded = fold(text)
    matches: list[tuple[int, int, Detector]] = []
    for start in range(len(folded.text)):
        found = [
            (end, detector)
            for detector in detectors
            if (end := _end(text, folded.text, folded.offsets, start, detector)) is not None
        ]
        found.sort(key=lambda match: -match[0])  # stable: the longest first, then by their order
        matches += [(start, end, detector) for end, detector in found]
    merged: list[Finding] = []
    for start, end, detector in matches:
        offsets = folded.offsets
        begin, stop = (start, end) if offsets is None else (offsets[start], offsets[end - 1] + 1)
        last = merged[-1] if merged else None
        if last and (begin < last.end or (begin == last.end and detector.type == last.type)):
            merged[-1] = last._replace(end=max(last.end, stop))
        else:
            merged.append(Finding(detector.type, begin, stop, detector.name))
    return merged


def _end(text: str, folded: str, offsets: Sequence[int] | None, start: int, detector: Detector) -> int | None:
    """Return where a match of a detector ends that begins here."""
    if detector.before and start and re.match(f"[{detector.before}]", folded[start - 1]):
        return None
    match = re.compile(detector.pattern).match(folded, start)
    if match is None:
        return None
    end = match.end()
    if detector.after and re.compile(detector.after).match(folded, end):
        return None
    if detector.check and not detector.check(match[0]):
        return None
    if detector.context:
        here = start if offsets is None else offsets[start]
        if not any(stands_before(word, text, here) for word in detector.context):
            return None
    if detector.tail:
        tail = re.compile(f"[{detector.tail}]*").match(folded, end)
        assert tail is not None
        end = tail.end()
    return end


def stands_before(word: str, text: str, here: int) -> bool:
    """Tell whether a word stands before a place; where its script has spaces, not within another word."""
    is_spaced = not fold(word).text.startswith(OTHER)
    return any(
        text[at:end].casefold() == word.casefold()
        and not (is_spaced and at and re.match(r"[^\W\d_]", text[at - 1]))
        for at in range(max(0, here - CONTEXT), here)
        for end in range(at + 1, min(here, at + 2 * len(word)) + 1)
    )
