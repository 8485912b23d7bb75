"""One detector, ready to be tried at a place."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .context import Contexts
from .detector import Detector
from .fold import LETTER
from .pattern import Node, followed_by, letters, parse, without_last

_ALNUM = f"09AZaz{LETTER}"


class Match(NamedTuple):
    """What one detector has matched, by offsets in folded text.

    Args:
        start: Where it begins.
        end: Where it has ended, with its tail.
        value_end: Where its pattern has ended.
        order: The place of its detector among all.
    """

    start: int
    end: int
    value_end: int
    order: int


class Compiled:
    """One detector, ready to be tried.

    Args:
        detector: The detector.
        order: Its place among all.
        contexts: Those of all.

    Attributes:
        node: Its pattern.
        pending: What of a match may be there while it can still change.
        is_bounded: Whether no match begins inside of a word.
        bound: What may not stand before a match, as a pattern.
        source: Its pattern, behind that.
        context: The bit of its context; 0 if it needs none.

    Raises:
        ConfigurationError: A pattern of it is not one of `pattern.py`.
    """

    def __init__(self, detector: Detector, order: int, contexts: Contexts) -> None:
        self.detector = detector
        self.order = order
        self.node = parse(detector.pattern)
        after = parse(detector.after) if detector.after else None
        # Without anything that may not follow, a match that cannot go on is certain with its last character.
        self.pending = (
            without_last(self.node) if after is None else followed_by(self.node, without_last(after))
        )
        self.is_bounded = bool(detector.before) and all(
            re.fullmatch(f"[{detector.before}]", letter) for letter in _ALNUM
        )
        self.bound = f"(?<![{detector.before}])" if detector.before else ""
        self.source = f"{self.bound}(?:{detector.pattern})"
        self._match = re.compile(self.source).match
        self._after = re.compile(detector.after).match if detector.after else None
        self._check = detector.check
        self.context = contexts.bit(detector.context) if detector.context else 0
        self._tail = re.compile(f"[{detector.tail}]+").match if detector.tail else None

    def at(self, text: str, start: int) -> Match | None:
        """Return the match that begins here in a folded text; whether its context stands before is not asked."""
        found = self._match(text, start)
        if found is None:
            return None
        end = value_end = found.end()
        if self._after is not None and self._after(text, end) is not None:
            return None
        if self._check is not None and not self._check(found[0]):
            return None
        if self._tail is not None and (tail := self._tail(text, end)) is not None:
            end = tail.end()
        return Match(start, end, value_end, self.order)


def union(bounded: Iterable[tuple[str, str]]) -> str:
    """Return a pattern for any of some, each with what may not stand before it."""
    by_bound = defaultdict[str, dict[str, None]](dict)
    for bound, source in bounded:
        by_bound[bound][source] = None
    return "|".join(f"{bound}(?:{'|'.join(sources)})" for bound, sources in by_bound.items())


def first_letters(members: Iterable[Compiled]) -> frozenset[str]:
    """Return the characters of folded text with which a match of some detectors may begin."""
    return frozenset[str]().union(*(letters(member.node) for member in members))


def alive_in(members: Sequence[Compiled]) -> str:
    """Return a pattern for the beginnings of a text that more text may make a match of, or that begin with one."""
    return alive([member.pending for member in members], [member.node for member in members])


def alive(begun: Iterable[Node], whole: Iterable[Node]) -> str:
    """Return a pattern for what is a beginning of some patterns, or begins with all of one."""
    beginnings = "|".join(dict.fromkeys(node.begun for node in begun)) or "(?!)"
    return rf"(?:{beginnings})\Z|(?:{'|'.join(dict.fromkeys(node.source for node in whole)) or '(?!)'})"
