"""What a detector is: how one kind of personal data looks, and what tells it from a look-alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from .fold import LETTER

ALNUM = f"0-9A-Za-z{LETTER}"
"""The inside of a character class: letters and digits."""

CONTEXT = 64
"""So many characters before a match are searched for a word of its context."""


class Finding(NamedTuple):
    """Something personal in a text; never what it is.

    Args:
        type: What kind, such as `EMAIL`.
        start: Where it begins in the text, in characters.
        end: Where it has ended.
        detector: Who found it.
    """

    type: str
    start: int
    end: int
    detector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One kind of personal data, by its pattern.

    Patterns see text that is folded (`fold.py`): ASCII, with `é` for any other letter and `¤` for anything else.
    They are written in what `re` and RE2 have in common, and without end: literals, classes, `(?:)`, `|`, and
    repeats that are bounded. Where a match ends is decided by the pattern alone, greedy, and then checked.

    Args:
        name: Its own, such as `card_grouped`.
        type: What it finds, such as `CREDIT_CARD`.
        pattern: What that looks like.
        trigger: A short pattern that each match holds, and hardly any other text.
        lead: How many characters of a match may come before its trigger; if any, the trigger is a part of the
            pattern as it is written, and does not occur before it.
        before: The inside of a character class: what may not stand right before a match.
        after: A pattern that may not follow right behind a match; of at most 8 characters; empty if anything may.
        check: Tells whether what the pattern found, folded, is such a thing: a checksum, an area.
        context: One of these words must stand in the `CONTEXT` characters before, in any case; none if empty.
        tail: The inside of a character class: a match goes on behind the pattern as far as these go, without end.
    """

    name: str
    type: str
    pattern: str
    trigger: str
    lead: int = 0
    before: str = ALNUM
    after: str = f"[{ALNUM}]"
    check: Callable[[str], bool] | None = None
    context: tuple[str, ...] = ()
    tail: str = ""


@runtime_checkable
class SentenceDetector(Protocol):
    """Finds what no pattern can, such as names, in one sentence at a time; may be slow."""

    @property
    def name(self) -> str:
        """Its own name."""
        ...

    def find(self, sentence: str, /) -> Iterable[Finding]:
        """Return what a sentence holds, by offsets in it."""
        ...
