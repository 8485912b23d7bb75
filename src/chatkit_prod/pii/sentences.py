"""A text in sentences, for what looks at one at a time: the same ones however the text arrives."""

import re
from typing import Final

MAX_SENTENCE: Final = 400
"""A sentence has at most so many characters: a stream holds no more than that."""

_CLOSING = re.escape("\"'”’»\u203a)]}*_")
_SPACE = r"[^\S\xa0\u202f]"
# A full stop ends a sentence with the white space behind it, so that no character beyond the end decides. The marks
# of Chinese and Japanese, and the end of a line, need none.
_END = re.compile(rf"[.!?…][{_CLOSING}]*{_SPACE}|[。\uff01\uff1f｡\n]")
_LAST_SPACE = re.compile(rf".*{_SPACE}", re.DOTALL)


class Sentences:
    """Cuts a text that arrives in pieces into sentences; together they are the text.

    Where a cut is depends on nothing behind it. What has no end in `MAX_SENTENCE` characters is cut behind the last
    white space in them, or where there is none, right there. Abbreviations are not known: `Dr. No` is in two.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, delta: str) -> list[str]:
        """Return the sentences that have ended; the beginning of the next one is held.

        Args:
            delta: The next piece, of any length: untrusted.
        """
        text, start = self._held + delta, 0
        found: list[str] = []
        while (end := _end(text, start)) is not None:
            found.append(text[start:end])
            start = end
        self._held = text[start:]
        return found

    def finish(self) -> str:
        """Return what is held: a sentence without an end, or nothing."""
        held, self._held = self._held, ""
        return held


def _end(text: str, start: int) -> int | None:
    """Return where the sentence ends that begins at a place; None if that is not known yet."""
    limit = start + MAX_SENTENCE
    found = _END.search(text, start, limit)
    if found is None and len(text) < limit:
        return None
    found = found or _LAST_SPACE.match(text, start, limit)
    return found.end() if found else limit
