"""Which of some detectors may match at a place: many patterns are tried in one step, before one of them is on its own."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from .compiled import Compiled, first_letters, union
from .engine import Engine
from .pattern import letters

_BATCH = 4

Fits: TypeAlias = Callable[[str, int], "re.Match[str] | None"]
Probe: TypeAlias = Callable[[str, bytes, int], Sequence[Compiled]]
"""Returns the detectors whose pattern may fit at a place of a folded text, given also as bytes."""


def probe(members: Sequence[Compiled], engine: Engine | None) -> Probe:
    """Return what tells which of some detectors may match at a place.

    Args:
        members: The detectors.
        engine: Tries all of them at once; without one, they are tried in batches.
    """
    if engine is None:
        return _in_batches(members)
    if len(members) < _BATCH:
        return lambda _text, _data, _start: members
    tried = engine.tried(member.detector.pattern for member in members)
    width = max(member.node.width for member in members)

    def fitting(_text: str, data: bytes, start: int) -> Sequence[Compiled]:
        return [members[index] for index in tried(data[start : start + width]) or ()]

    return fitting


def _in_batches(members: Sequence[Compiled]) -> Probe:
    """Return what tries those that need no context and those that do; all at once, and if any fits, in batches."""
    halves = [[member for member in members if bool(member.context) is needs] for needs in (False, True)]
    tried = {letter: [_gated(half, letter) for half in halves] for letter in first_letters(members)}

    def fitting(text: str, _data: bytes, start: int) -> Sequence[Compiled]:
        return [
            member
            for gate, batches in tried.get(text[start], ())
            if gate(text, start) is not None
            for fits, batch in batches
            if fits(text, start) is not None
            for member in batch
        ]

    return fitting


def _gated(
    members: Sequence[Compiled], letter: str
) -> tuple[Fits, Sequence[tuple[Fits, Sequence[Compiled]]]]:
    beginning = tuple(member for member in members if letter in letters(member.node))
    batches = [beginning[first : first + _BATCH] for first in range(0, len(beginning), _BATCH)]
    return _any_of(beginning), [(_any_of(batch), batch) for batch in batches]


@lru_cache(maxsize=1024)
def _any_of(members: tuple[Compiled, ...]) -> Fits:
    return re.compile(union((member.bound, member.detector.pattern) for member in members) or "(?!)").match
