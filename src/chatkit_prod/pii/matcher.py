"""Where detectors match in a text.

    text ─ triggers ─ where a match with one may begin ─ the detectors of that trigger ─ matches

Most text holds nothing personal, and is only searched for triggers: characters and words that matches hold, and
other text has few of.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from .compiled import Compiled, Match, first_letters, union
from .context import Contexts
from .detector import Detector
from .engine import Engine
from .fold import Folded
from .pattern import Node, branches, letters, literal, parse
from .pending import Fits, Pending
from .regions import regions_by
from .starts import Starts, grouped

_AHEAD = 5
_BATCH = 4
_REMEMBERED = 16_384
_LONG = 256


class _Group:
    """Detectors whose matches begin at the same places around a trigger.

    Args:
        members: The detectors.
        starts: The places around a trigger where their matches may begin.

    Attributes:
        may_be: Tells whether there may be any such place.
    """

    def __init__(self, members: Sequence[Compiled], starts: Starts) -> None:
        self._starts = starts
        self.may_be = starts.may_be
        self._batches = {
            letter: tuple(_batches([member for member in members if letter in letters(member.node)]))
            for letter in first_letters(members)
        }

    def find(self, raw: str, folded: Folded, begin: int, trigger: int, found: list[Match]) -> None:
        """Add the matches that begin at `begin` or later, and have a trigger here."""
        text = folded.text
        for start in self._starts.around(text, begin, trigger):
            for fits, members in self._batches.get(text[start], ()):
                if fits(text, start) is not None:
                    for member in members:
                        match = member.at(raw, folded, start)
                        if match is not None:
                            found.append(match)


@lru_cache(maxsize=1024)
def _batch(members: tuple[Compiled, ...]) -> Fits:
    return re.compile(union((member.bound, member.detector.pattern) for member in members)).match


def _batches(members: Sequence[Compiled]) -> Iterator[tuple[Fits, Sequence[Compiled]]]:
    for first in range(0, len(members), _BATCH):
        batch = tuple(members[first : first + _BATCH])
        yield _batch(batch), batch


class Matcher:
    """Finds what any of some detectors matches.

    Args:
        detectors: What to look for.
        engine: Finds where in a long text a match may begin; without one, triggers are looked for everywhere.

    Attributes:
        pending: Finds out how far a text is final that is still arriving.

    Raises:
        ConfigurationError: A pattern or trigger is not one of `pattern.py`.
    """

    def __init__(self, detectors: Sequence[Detector], engine: Engine | None = None) -> None:
        contexts = Contexts(detector.context for detector in detectors if detector.context)
        compiled = [Compiled(detector, order, contexts) for order, detector in enumerate(detectors)]
        self.pending = Pending(compiled)
        self._regions = None if engine is None else regions_by(engine, compiled)
        self._lead = max((found.detector.lead + len(found.detector.trigger) for found in compiled), default=0)
        self._groups_at = lru_cache(_REMEMBERED)(self._groups_alive)
        by_trigger = defaultdict[Node, list[Compiled]](list)
        for found in compiled:
            for trigger in branches(parse(found.detector.trigger)):
                by_trigger[trigger].append(found)
        self._words: list[tuple[str, list[_Group]]] = []
        self._letters = defaultdict[str, list[_Group]](list)
        for trigger, members in by_trigger.items():
            groups = [_Group(group, starts) for starts, group in grouped(trigger, members)]
            word = literal(trigger)
            if word is None or len(word) == 1:
                for letter in letters(trigger):
                    self._letters[letter] += groups
            else:
                self._words.append((word.lower(), groups))
        hot = "".join(map(re.escape, self._letters))
        self._hot = re.compile(f"[{hot}]" if hot else "(?!)").search
        # No match begins inside of a number, so that only the first digit of it matters.
        whole_numbers = all(found.is_bounded for found in compiled)
        self._number = re.compile("[0-9]+" if whole_numbers else "[0-9]").match

    def matches(self, raw: str, folded: Folded, begin: int, stop: int) -> list[Match]:
        """Return what begins in a part of a text, in its order; of one place the longest first.

        Args:
            raw: The text as it was written: untrusted.
            folded: The same, as patterns see it; a match may go on behind `stop`.
            begin: From where on, in folded text.
            stop: Up to where.
        """
        text = folded.text
        found: list[Match] = []
        if begin or self._regions is None or len(text) < _LONG:
            self._search(raw, folded, begin, len(text), found)
        else:
            for first, last in self._regions(raw, text):
                self._search(raw, folded, first, last, found)
        if not found:
            return found
        each = {(match.start, match.order): match for match in found if match.start < stop}
        return sorted(each.values(), key=_place)

    def _search(self, raw: str, folded: Folded, begin: int, end: int, found: list[Match]) -> None:
        """Add the matches that begin in a part of a text; some that begin behind it as well."""
        text = folded.text
        limit = end + self._lead
        hot = self._hot(text, begin, limit)
        while hot is not None:
            trigger = hot.start()
            ahead = text[trigger : trigger + _AHEAD]
            for group in self._groups_at(text[trigger - 1] if trigger else "", ahead):
                group.find(raw, folded, begin, trigger, found)
            number = self._number(text, trigger)
            hot = self._hot(text, trigger + 1 if number is None else number.end(), limit)
        lower = text[begin:limit].lower()
        for word, groups in self._words:
            trigger = lower.find(word)
            while trigger >= 0:
                for group in groups:
                    group.find(raw, folded, begin, begin + trigger, found)
                trigger = lower.find(word, trigger + 1)

    def _groups_alive(self, before: str, ahead: str) -> tuple[_Group, ...]:
        """Return the groups that may match around a trigger, by the character before it, and a few from it on."""
        return tuple(group for group in self._letters[ahead[0]] if group.may_be(before, ahead))


def _place(match: Match) -> tuple[int, int, int]:
    return match.start, -match.end, match.order
