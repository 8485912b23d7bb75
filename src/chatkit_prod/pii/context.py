"""Which words stand before a match: looked for once, for all detectors that ask."""

import re
from collections import defaultdict
from collections.abc import Iterable

from .fold import OTHER, fold

_WORD_BEGINS = r"(?<![^\W\d_])"


class Contexts:
    """Tells which of some sets of words have a word in a text.

    Args:
        contexts: The sets; in any case.
    """

    def __init__(self, contexts: Iterable[tuple[str, ...]]) -> None:
        self._bits: dict[tuple[str, ...], int] = {}
        sets = defaultdict[str, int](int)
        for context in contexts:
            bit = self._bits.setdefault(context, 1 << len(self._bits))
            for word in context:
                sets[word.casefold()] |= bit
        self._search = re.compile(_any_of(sets)).finditer
        # The longest word is found at a place; those that it begins with stand there as well.
        self._sets = {
            word: _all_of(bits for begun, bits in sets.items() if word.startswith(begun)) for word in sets
        }
        self._last: tuple[str, int] = ("", 0)

    def bit(self, context: tuple[str, ...]) -> int:
        """Return the bit of a set."""
        return self._bits[context]

    def found_in(self, text: str) -> int:
        """Return the bits of the sets that have a word in a text.

        Args:
            text: As it was written.
        """
        last, bits = self._last
        if text != last:
            bits = 0
            for found in self._search(text.casefold()):
                bits |= self._sets[found[1]]
            self._last = (text, bits)
        return bits


def _all_of(some: Iterable[int]) -> int:
    together = 0
    for bits in some:
        together |= bits
    return together


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern that looks at each place for the longest of some words.

    In a script with spaces, it begins where a word begins.
    """
    spaced: list[str] = []
    unspaced: list[str] = []
    for word in words:
        (unspaced if fold(word).text.startswith(OTHER) else spaced).append(word)
    both = ((_WORD_BEGINS, spaced), ("", unspaced))
    return "(?=(" + ("|".join(f"{begins}{_tree(some)}" for begins, some in both if some) or "(?!)") + "))"


def _tree(words: Iterable[str]) -> str:
    """Return a pattern for words, in which each beginning of several stands once; the longest fits first."""
    by_letter = defaultdict[str, set[str]](set)
    for word in words:
        by_letter[word[:1]].add(word[1:])
    is_end = by_letter.pop("", None) is not None
    branches = [re.escape(letter) + _tree(rest) for letter, rest in sorted(by_letter.items())]
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)})" + ("?" if is_end else "")
