"""Which words stand before a match: each part of a text is searched once, for all detectors that ask."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from .detector import CONTEXT
from .engine import Engine
from .fold import OTHER, fold

_WORD_BEGINS = r"(?<![^\W\d_])"
_PART = 64

Endings = tuple[tuple[int, int], ...]
"""How long the words are that stand at a place, and the bits of the sets that each of them is in."""


class Contexts:
    """Tells which of some sets of words have a word before a place.

    Args:
        contexts: The sets; in any case.
        engine: Tells quickly where there is no word at all.
    """

    def __init__(self, contexts: Iterable[tuple[str, ...]], engine: Engine | None = None) -> None:
        self._bits: dict[tuple[str, ...], int] = {}
        sets = defaultdict[str, int](int)
        for context in contexts:
            bit = self._bits.setdefault(context, 1 << len(self._bits))
            for word in context:
                for plain in {word.casefold(), _plain(word)}:
                    sets[plain] |= bit
        self._search = re.compile(_any_of(sets)).finditer
        # The longest word is found at a place; those that it begins with stand there as well.
        self._endings: dict[str, Endings] = {
            word: tuple((len(begun), bits) for begun, bits in sets.items() if word.startswith(begun))
            for word in sets
        }
        self._gate = None if engine is None or not sets else engine.gate(_gate_of(sets))
        self._longest = max(map(len, sets), default=0)

    def bit(self, context: tuple[str, ...]) -> int:
        """Return the bit of a set."""
        return self._bits[context]

    def before(self, text: str, offsets: Sequence[int] | None = None) -> Callable[[int], int]:
        """Return what returns the bits of the sets that have a word right before a place of a text.

        Such a word begins at most `CONTEXT` characters before the place, and has ended there.

        Args:
            text: As it was written.
            offsets: Where the places are in it; the same if None.
        """
        parts: dict[int, list[tuple[int, Endings]]] = {}

        def bits_before(place: int) -> int:
            here = place if offsets is None else offsets[place]
            first = max(0, here - CONTEXT)
            bits = 0
            for part in range(first // _PART, (here - 1) // _PART + 1):
                words = parts.get(part)
                if words is None:
                    words = parts[part] = self._words(text, part * _PART)
                for start, endings in words:
                    if first <= start:
                        for length, some in endings:
                            if start + length <= here:
                                bits |= some
            return bits

        return bits_before

    def _words(self, text: str, begin: int) -> list[tuple[int, Endings]]:
        """Return where words begin in a part of a text, and how they may end."""
        behind = min(begin, 1)  # what a word must not stand right behind
        plain = _plain(text[begin - behind : begin + _PART + self._longest])
        if self._gate is not None and self._gate(plain.encode(errors="replace"), 0) is None:
            return []
        return [
            (begin + found.start() - behind, self._endings[found[1]])
            for found in self._search(plain, behind)
            if found.start() < _PART + behind
        ]


def _gate_of(words: Iterable[str]) -> str:
    """Return a pattern that fits wherever a word stands, in UTF-8, and maybe elsewhere."""
    ascii_words = "|".join(sorted(re.escape(word) for word in words if word.isascii()))
    others = [re.escape(word).encode().decode("latin-1") for word in words if not word.isascii()]
    return "|".join([f"(?:^|[^a-z])(?:{ascii_words})"] * bool(ascii_words) + sorted(others))


class _OneCase(dict[int, str]):
    """Finds out what a letter is in one case when it is first seen: one letter."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        both = (letter.casefold(), letter.lower(), letter)
        plain = self[code] = next(plain for plain in both if len(plain) == 1)
        return plain


_ONE_CASE = _OneCase()


def _plain(text: str) -> str:
    """Return a text in one case, and as long as it was."""
    plain = text.casefold()
    return plain if len(plain) == len(text) else text.translate(_ONE_CASE)


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern that looks at each place for the longest of some words.

    In a script with spaces, it begins where a word begins.
    """
    spaced: list[str] = []
    unspaced: list[str] = []
    for word in words:
        (unspaced if fold(word).text.startswith(OTHER) else spaced).append(word)
    both = ((_WORD_BEGINS, spaced), ("", unspaced))
    return (
        "(?=("
        + ("|".join(begins + _first_of(some) + _tree(some) for begins, some in both if some) or "(?!)")
        + "))"
    )


def _first_of(words: Iterable[str]) -> str:
    """Return what looks for the first letter of any of some words: most places have none."""
    return f"(?=[{''.join(sorted({re.escape(word[0]) for word in words}))}])"


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
