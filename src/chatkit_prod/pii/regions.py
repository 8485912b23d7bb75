"""The parts of a long text in which a match may begin, by an engine that is made for that.

A match begins where a pattern fits; of a detector with a context, behind one of its words as well.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import merge

from .compiled import Compiled
from .detector import ALNUM, CONTEXT
from .engine import Engine, Gate

_REGION = 64
_MAX_REGION = 4096

Regions = Callable[[str, str], Iterator[tuple[int, int]]]
"""Yields the parts of a text, by offsets in what it is folded to; given both."""


def regions_by(engine: Engine, compiled: Sequence[Compiled]) -> Regions:
    """Return what yields the parts of a text in which some detectors may match.

    Args:
        engine: Finds patterns.
        compiled: The detectors.
    """
    fits = _gate(engine, _pattern_of([found for found in compiled if not found.detector.context]))
    words = sorted({re.escape(word.casefold()) for found in compiled for word in found.detector.context})
    is_context = _gate(engine, "|".join(f"(?:^|[^a-z]){word}" for word in words if word.isascii()))
    may_be_context = _gate(engine, "|".join(words).encode().decode("latin-1"))

    def regions(raw: str, text: str) -> Iterator[tuple[int, int]]:
        size = len(text)
        # Where a word stands in bytes that are not ASCII tells little of where it stands in the text.
        if not raw.isascii() and may_be_context(raw.casefold().encode(errors="replace"), 0) is not None:
            yield 0, size
            return
        places = merge(
            _found(fits, text.encode("latin-1"), 0),
            _found(is_context, raw.lower().encode() if raw.isascii() else b"", CONTEXT),
        )
        first = last = 0
        for begin, end in places:
            if begin > last:
                if last:
                    yield first, last
                first = begin
            last = max(last, end)
        if last:
            yield first, min(last, size)

    return regions


def _gate(engine: Engine, pattern: str) -> Gate:
    return engine.gate(pattern) if pattern else lambda _text, _begin: None


def _found(gate: Gate, data: bytes, behind: int) -> Iterator[tuple[int, int]]:
    """Yield parts in which a pattern fits; the longer, the more often it does: to ask costs as well."""
    width = _REGION
    at = gate(data, 0)
    while at is not None:
        yield at, at + width + behind
        following = gate(data, at + width)
        is_near = following is not None and following < at + 2 * width
        width = min(2 * width, _MAX_REGION) if is_near else _REGION
        at = following


def _pattern_of(compiled: Sequence[Compiled]) -> str:
    """Return a pattern for whatever some detectors may match, behind the character before it."""
    bounded = "|".join(f"(?:{found.detector.pattern})" for found in compiled if found.is_bounded)
    free = "|".join(f"(?:{found.detector.pattern})" for found in compiled if not found.is_bounded)
    return "|".join([f"(?:^|[^{ALNUM}])(?:{bounded})"] * bool(bounded) + [free] * bool(free))
