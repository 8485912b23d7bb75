"""How far a text that is still arriving is final.

    … a match may begin | more text may complete it, or change it
                        hold

Most words of a chat can begin nothing. Whether a word can is remembered with the character behind it, and of any other
place the first few characters: an ordinary piece of text costs a look into a dictionary for each of its words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from .compiled import Compiled, alive_in, first_letters, union
from .detector import ALNUM
from .fold import LETTER
from .pattern import letters

_DIGITS = frozenset("0123456789")
_LETTERS = frozenset(letter for letter in map(chr, range(256)) if re.fullmatch(f"[A-Za-z{LETTER}]", letter))
_OTHERS = frozenset(map(chr, range(256))) - _DIGITS - _LETTERS

_WITHIN = frozenset(".,:-/'")
"""What stands at the end of a word, and as often within an address: one more character tells."""
_MIN_KEY = 4
_MAX_KEY = 20
_REMEMBERED = 16_384

Fits = Callable[[str, int], "re.Match[str] | None"]


Final: TypeAlias = tuple[int, bool]
"""How far a text is final: where the leftmost match begins that more text may bring about or change, its length if
none does; and whether it is certain that no match begins before."""


class Pending:
    """Finds out how far a text is final.

    Args:
        compiled: The detectors.
    """

    def __init__(self, compiled: Sequence[Compiled]) -> None:
        self._width = max((found.pending.width for found in compiled), default=0) + 1
        # A pattern of its own for each letter would be faster, and take seconds to compile.
        self._pending: dict[str, Fits] = {}
        for some in (_DIGITS, _LETTERS, _OTHERS):
            members = [found for found in compiled if letters(found.node) & some]
            self._pending |= dict.fromkeys(some & first_letters(members), _begun(tuple(members)))
        self._places = _places(compiled)
        # A match may begin within a word, if a detector allows that: then a word tells nothing.
        self._knows_words = all(found.is_bounded for found in compiled)
        begun = f"(?:{union((found.bound, found.pending.begun) for found in compiled) or '(?!)'})\\Z"
        self._is_begun = lru_cache(_REMEMBERED)(_tells(begun))
        self._may_begin = lru_cache(_REMEMBERED)(_tells(alive_in(compiled)))

    def __call__(self, text: str, begin: int) -> Final:
        """Return how far a text is final.

        Args:
            text: Folded.
            begin: Where it has been final so far.
        """
        size = len(text)
        # What begins further back is too long to be a match.
        first = size - self._width
        is_clean = begin >= first
        for place in self._places(text, begin if is_clean else first):
            start = place.start()
            end = place.end() + 1
            if text[end - 1 : end] in _WITHIN:
                end += 1
            if end - start < _MIN_KEY:
                end = start + _MIN_KEY
            if self._knows_words and end - start <= _MAX_KEY:
                key = text[start:end]
                if end < size:
                    if not self._may_begin(key):
                        continue
                elif not self._is_begun(key):
                    is_clean = is_clean and not self._may_begin(key)
                    continue
                elif not start or text[start - 1].isspace():
                    return start, is_clean
            fits = self._pending.get(text[start])
            if fits is not None and fits(text, start) is not None:
                return start, is_clean
            is_clean = False
        return size, is_clean


def _tells(pattern: str) -> Callable[[str], bool]:
    match = re.compile(pattern).match
    return lambda text: match(text) is not None


@lru_cache(maxsize=1024)
def _begun(members: tuple[Compiled, ...]) -> Fits:
    return re.compile(
        f"(?:{union((member.bound, member.pending.begun) for member in members) or '(?!)'})\\Z"
    ).match


def _places(compiled: Sequence[Compiled]) -> Callable[[str, int], Iterator[re.Match[str]]]:
    """Return what finds the places where a match may begin; a word at once, unless one may begin within."""
    bounded, free = (
        "".join(map(re.escape, first_letters(found for found in compiled if found.is_bounded is is_bounded)))
        for is_bounded in (True, False)
    )
    words = "" if free else f"[A-Za-z{LETTER}]+|"
    places = [f"[{free}]"] * bool(free) + [f"(?<![{ALNUM}])(?:{words}[{bounded}])"] * bool(bounded)
    return re.compile("|".join(places) or "(?!)").finditer
