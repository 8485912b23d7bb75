"""Whether a text repeats a passage of another one, however that is written.

Compared are words: without case, punctuation, invisible characters and forms of letters (Unicode UAX #15, NFKC).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

MIN_WORDS: Final = 6
MIN_LETTERS: Final = 24
"""A passage has at least so many words and letters: fewer are shared by texts that have nothing to do with each other."""

_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_INVISIBLE: Final = re.compile("[\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")

_LETTERS_OF_A_SYLLABLE: Final = 2
"""What a character of a script without spaces says; a passage has at most `MIN_LETTERS` words."""

Passage = tuple[str, ...]


def repeats(text: str, others: Iterable[str]) -> bool:
    """Tell whether a text has a passage of any of the others.

    Args:
        text: What may repeat something.
        others: What it may repeat; of any length.
    """
    own = frozenset(_passages(text))
    return bool(own) and any(not own.isdisjoint(_passages(other)) for other in others)


def _passages(text: str) -> Iterator[Passage]:
    """Yield the shortest passage from each word on: two texts that share a longer one share this as well."""
    visible = _INVISIBLE.sub("", text)
    words = _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold()))
    for start in range(len(words)):
        letters = 0
        for end in range(start, min(start + MIN_LETTERS, len(words))):
            letters += max(len(words[end]), _LETTERS_OF_A_SYLLABLE if words[end] > "\u0e00" else 1)
            if letters >= MIN_LETTERS and end - start >= MIN_WORDS - 1:
                yield tuple(words[start : end + 1])
                break
