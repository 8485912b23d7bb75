"""Where detectors match in a text.

    text ─ triggers ─ where a match with one may begin ─ the detectors of that trigger ─ matches

Most text holds nothing personal, and is only searched for triggers: characters and words that matches hold, and
other text has few of.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .compiled import Compiled, Match
from .context import Contexts
from .detector import ALNUM, Detector
from .engine import Engine
from .fold import Folded
from .pattern import Node, branches, letters, literal, parse
from .pending import Pending
from .probes import probe
from .regions import regions_by
from .starts import Starts, grouped

_AHEAD = 3
_REMEMBERED = 16_384
_LONG = 256
_DIGITS = frozenset("0123456789")


class _Text(NamedTuple):
    """A text that is searched.

    Args:
        folded: As patterns see it.
        data: The same, as bytes of Latin-1.
        context: Returns the bits of the contexts of a place.
        found: The matches so far.
    """

    folded: str
    data: bytes
    context: Callable[[int], int]
    found: list[Match]


class _Group:
    """Detectors whose matches begin at the same places around a trigger.

    Args:
        members: The detectors.
        starts: The places around a trigger where their matches may begin.
        engine: Tries many of them at once.

    Attributes:
        may_be: Tells whether there may be any such place.
    """

    def __init__(self, members: Sequence[Compiled], starts: Starts, engine: Engine | None) -> None:
        self.may_be = starts.may_be
        self._around = starts.around
        self._fitting = probe(members, engine)

    def find(self, text: _Text, begin: int, trigger: int) -> None:
        """Find the matches that begin at `begin` or later, and have a trigger here."""
        folded, data, context_of, found = text
        for start in self._around(folded, begin, trigger):
            context: int | None = None
            for member in self._fitting(folded, data, start):
                if member.context:
                    if context is None:
                        context = context_of(start)
                    if not context & member.context:
                        continue
                match = member.at(folded, start)
                if match is not None:
                    found.append(match)


class Matcher:
    """Finds what any of some detectors matches.

    Args:
        detectors: What to look for.
        engine: Finds where in a long text a match may begin; without one, triggers are looked for everywhere.

    Attributes:
        detectors: The same.
        pending: Finds out how far a text is final that is still arriving.

    Raises:
        ConfigurationError: A pattern or trigger is not one of `pattern.py`.
    """

    def __init__(self, detectors: Sequence[Detector], engine: Engine | None = None) -> None:
        self.detectors = detectors
        self._contexts = Contexts((found.context for found in detectors if found.context), engine)
        compiled = [Compiled(detector, order, self._contexts) for order, detector in enumerate(detectors)]
        self.pending = Pending(compiled)
        self._regions = None if engine is None else regions_by(engine, compiled)
        self._lead = max((found.detector.lead + len(found.detector.trigger) for found in compiled), default=0)
        self._finds_at = lru_cache(_REMEMBERED)(self._finds_alive)
        by_trigger = defaultdict[Node, list[Compiled]](list)
        for found in compiled:
            for trigger in branches(parse(found.detector.trigger)):
                by_trigger[trigger].append(found)
        self._words: list[tuple[str, list[_Group]]] = []
        self._letters = defaultdict[str, list[_Group]](list)
        for trigger, members in by_trigger.items():
            groups = [_Group(group, starts, engine) for starts, group in grouped(trigger, members)]
            word = literal(trigger)
            if word is None or len(word) == 1:
                for letter in letters(trigger):
                    self._letters[letter] += groups
            else:
                self._words.append((word.lower(), groups))
        self._hot = re.compile(_hot(self._letters, compiled)).finditer

    def matches(self, raw: str, folded: Folded, begin: int, stop: int) -> list[Match]:
        """Return what begins in a part of a text, in its order; of one place the longest first.

        Args:
            raw: The text as it was written: untrusted.
            folded: The same, as patterns see it; a match may go on behind `stop`.
            begin: From where on, in folded text.
            stop: Up to where.
        """
        size = len(folded.text)
        context = self._contexts.before(raw, folded.offsets)
        text = _Text(folded.text, folded.text.encode("latin-1"), context, [])
        if begin or self._regions is None or size < _LONG:
            self._search(text, begin, size)
        else:
            for first, last in self._regions(raw, folded.text):
                self._search(text, first, last)
        return sorted((match for match in set(text.found) if match.start < stop), key=_place)

    def _search(self, text: _Text, begin: int, end: int) -> None:
        """Find the matches that begin in a part of a text; some that begin behind it as well."""
        folded = text.folded
        limit = end + self._lead
        finds_at = self._finds_at
        for hot in self._hot(folded, begin, limit):
            trigger = hot.start()
            around = folded[trigger - 1 : trigger + _AHEAD] if trigger else f"\0{folded[:_AHEAD]}"
            for find in finds_at(around):
                find(text, begin, trigger)
        lower = folded[begin:limit].lower()
        for word, groups in self._words:
            trigger = lower.find(word)
            while trigger >= 0:
                for group in groups:
                    group.find(text, begin, begin + trigger)
                trigger = lower.find(word, trigger + 1)

    def _finds_alive(self, around: str) -> tuple[Callable[[_Text, int, int], None], ...]:
        """Return what may find a match around a trigger, by the character before it, and a few from it on."""
        before, ahead = around[0], around[1:]
        return tuple(group.find for group in self._letters[ahead[0]] if group.may_be(before, ahead))


def _hot(triggers: dict[str, list[_Group]], compiled: Sequence[Compiled]) -> str:
    """Return the pattern of the characters that are triggers.

    Where no match begins inside of a word, only the first digit of it matters.
    """
    words = "".join(filter(re.compile(f"[{ALNUM}]").match, triggers))
    others = "".join(re.escape(letter) for letter in triggers if letter not in words)
    is_by_word = _DIGITS.issuperset(words) and all(found.is_bounded for found in compiled)
    hot = [f"[{words}]" + f"[{ALNUM}]*" * is_by_word] * bool(words) + [f"[{others}]"] * bool(others)
    return "|".join(hot) or "(?!)"


def _place(match: Match) -> tuple[int, int, int]:
    return match.start, -match.end, match.order
