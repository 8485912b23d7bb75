"""What a text looks like to patterns: plain characters, whatever it was written with.

People and programs write the same address in many ways: with full-width letters, digits of another script, a
soft hyphen or a zero-width space in the middle. Patterns see all of them alike; the text itself is never
changed by this.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

LETTER = "\xe9"
"""Stands for every letter that is not ASCII, in a script with spaces between its words."""
OTHER = "\xa4"
"""Stands for everything else: a symbol, or a letter of a script without such spaces."""

MAX_IGNORED = 8
"""So many invisible characters in a row are passed over; the next one is `OTHER`. Else a text could hide any number."""

_IGNORED = "\xad"
_IGNORED_CATEGORIES = frozenset(("Cf", "Mn", "Me"))
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO", "YI ")
_RUN = re.compile(f"{_IGNORED}+")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


_ESCAPES = frozenset("bfnrt")
_ESCAPED = re.compile(r"(?<=\\)[bfnrt]")


class Folded(NamedTuple):
    """A text as patterns see it.

    Args:
        text: Characters of Latin-1 only, so that its bytes have the same offsets.
        offsets: Where each of them stands in the text as it was written, and its length at the end; None where
            nothing was passed over, and they are the same.
        ignored: How many invisible characters stand at the very end: the next text goes on with them.
    """

    text: str
    offsets: Sequence[int] | None
    ignored: int


def fold(text: str, ignored: int = 0, *, is_escaped: bool = False) -> Folded:
    """Return a text as patterns see it. What a character becomes depends on those before it alone.

    The letter of an escape, as in a string of JSON, is the end of a line: no word goes on across it.

    Args:
        text: As it was written: untrusted.
        ignored: The `ignored` of the text right before this one.
        is_escaped: Whether that ends with a backslash.
    """
    if is_escaped and text[:1] in _ESCAPES:
        text = "\n" + text[1:]
    if "\\" in text:
        text = _ESCAPED.sub("\n", text)
    if text.isascii():
        return Folded(text, None, 0 if text else ignored)
    translated = _FOREIGN.sub(_translated, text)
    if _IGNORED not in translated:
        return Folded(translated, None, 0)
    kept: list[str] = []
    offsets: list[int] = []
    end = 0
    for run in _RUN.finditer(translated):
        start = run.start()
        if start > end:
            ignored = 0
            kept.append(translated[end:start])
            offsets.extend(range(end, start))
        end = run.end()
        visible = range(max(start, start + MAX_IGNORED - ignored), end)
        kept.append(OTHER * len(visible))
        offsets.extend(visible)
        ignored += end - start
    if end < len(translated):
        ignored = 0
        kept.append(translated[end:])
        offsets.extend(range(end, len(translated)))
    offsets.append(len(translated))
    return Folded("".join(kept), offsets, ignored)


def _folded(letter: str) -> str:
    category = unicodedata.category(letter)
    if category in _IGNORED_CATEGORIES:
        return _IGNORED
    if category == "Nd":
        return str(unicodedata.decimal(letter))
    if category == "Pd" or letter == "\N{MINUS SIGN}":
        return "-"
    if category == "Zs":
        return " "
    if category in ("Zl", "Zp"):
        return "\n"
    plain = unicodedata.normalize("NFKC", letter)
    if len(plain) == 1 and plain.isascii() and category != "No":
        return plain
    if category.startswith("L") and not unicodedata.name(letter, "").startswith(_UNSPACED):
        return LETTER
    return OTHER


class _Table(dict[int, str]):
    """Finds out what a character is when it is first seen."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


_TABLE = _Table((code, chr(code)) for code in range(128))


def _translated(run: re.Match[str]) -> str:
    return run[0].translate(_TABLE)
