"""The texts in nested values, scrubbed where they stand: lists, objects, and JSON that is written as text."""

import json
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from chatkit_prod.scrub import TextScrubber

from .keys import KEYS, Keys

REDACTED: Final = "[REDACTED]"
"""Stands for the value of a name that is denied."""
OMITTED: Final = "[OMITTED]"
"""Stands for what lies beyond a bound."""
UNSCRUBBED: Final = "[UNSCRUBBED]"
"""Stands for a text over which the scrubber failed."""

_EDGE: Final = 256
"""So many characters before a cut may be the half of something that would have been found: no pattern is wider."""
_LONG_NUMBERS: Final = range(10**8, 10**20)
"""A whole number of so many digits may be that of a card or a telephone."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_DIGITS: Final = re.compile("[0-9]{4}")
"""A word without them is the name of a field. It stays where the scrubber fails, or nobody would know what failed."""
_PLAIN = (int, float, complex, date, time, timedelta, Decimal, UUID)
_LISTS: tuple[Any, ...] = (list, tuple, set, frozenset, deque)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is looked at; what is beyond is `OMITTED`.

    Args:
        depth: Lists and objects within one another.
        values: Their number, all together.
        characters: Of one text.
    """

    depth: int = 16
    values: int = 2000
    characters: int = 100_000


UNBOUNDED: Final = Bounds(depth=100, values=100_000, characters=sys.maxsize)
"""For what must not be cut: no real value has so many."""


class Leaves:
    """Scrubs the texts in values. What holds nothing is returned as it is, the very same object.

    Of lists and objects with something in them there are copies: objects become a `dict`, and anything else whose
    own text tells something becomes that text, scrubbed. Whole numbers of 9 to 20 digits are looked at as text.
    A text that is a JSON object or list is scrubbed in its values and stays JSON.

    Args:
        scrub: Returns a text without what is personal in it; None leaves all to the names.
        keys: What the names in objects tell.
        bounds: How much is looked at.
    """

    def __init__(
        self, scrub: Callable[[str], str] | None, *, keys: Keys = KEYS, bounds: Bounds | None = None
    ) -> None:
        self._scrub = scrub or str
        self._keys = keys
        self._bounds = bounds or Bounds()

    def text(self, text: str) -> str:
        """Return one text, scrubbed."""
        return self._walk().text(text, self._bounds.depth)

    def value(self, value: Any) -> Any:
        """Return a value with the texts in it scrubbed."""
        return self._walk().value(value, self._bounds.depth)

    def field(self, name: str, value: Any) -> Any:
        """Return the value of a name, as the name has it or scrubbed."""
        return self._walk().field(name, value, self._bounds.depth)

    def _walk(self) -> "_Walk":
        return _Walk(self._scrub, self._keys, self._bounds)


class _Walk:
    """One way through a value, and how far it may still go."""

    __slots__ = ("_characters", "_keys", "_left", "_scrub")

    def __init__(self, scrub: Callable[[str], str], keys: Keys, bounds: Bounds) -> None:
        self._scrub = scrub
        self._keys = keys
        self._left = bounds.values
        self._characters = bounds.characters

    def field(self, name: object, value: Any, depth: int) -> Any:
        rule = self._keys.rule(str(name))
        if rule == "deny":
            return None if value is None else REDACTED
        return self.value(value, depth, is_kept=rule == "allow")

    def value(self, value: Any, depth: int, *, is_kept: bool = False) -> Any:
        self._left -= 1
        if self._left < 0:
            return OMITTED
        if isinstance(value, Mapping):
            return self._object(cast("Any", value), depth - 1) if depth else OMITTED
        if isinstance(value, _LISTS):
            return self._list(value, depth - 1, is_kept=is_kept) if depth else OMITTED
        if is_kept or value is None or self._scrub is str:
            return value
        if isinstance(value, str):
            return self.text(value, depth)
        if isinstance(value, bytes | bytearray):
            text = value.decode(errors="surrogateescape")
            clean = self.text(text, depth)
            return value if clean is text else clean.encode(errors="surrogateescape")
        if isinstance(value, _PLAIN):
            is_long = isinstance(value, int) and abs(value) in _LONG_NUMBERS
            return self._shown(value, str(value), depth) if is_long else value
        return self._shown(self._shown(value, repr(value), depth), str(value), depth)

    def text(self, text: str, depth: int) -> str:
        """Return a text, scrubbed; the very same one if nothing is in it."""
        if len(text) > self._characters:
            return self._scrub(text[: self._characters])[:-_EDGE] + OMITTED
        held = _decoded(text)
        if held is None:
            clean = self._scrub(text)
            return text if clean == text else clean
        found = self.value(held, depth)
        return text if found is held else json.dumps(found)

    def _shown(self, value: Any, text: str, depth: int) -> Any:
        """Return a value as long as its text tells nothing, and else what is left of that."""
        clean = self.text(text, depth)
        return value if clean is text else clean

    def _object(self, fields: Mapping[Any, Any], depth: int) -> Any:
        clean: dict[Any, Any] = {}
        copies = Counter[Any]()
        is_same = True
        for name, value in fields.items():
            shown = self._name(name, depth)
            found = self.field(name, value, depth)
            is_same = is_same and shown is name and found is value
            base = shown
            while shown in clean:  # two names of which the same is left
                copies[base] += 1
                shown = f"{base}_{copies[base]}"
            clean[shown] = found
        return fields if is_same else clean

    def _name(self, name: Any, depth: int) -> Any:
        if not isinstance(name, str) or (_NAME.fullmatch(name) and not _DIGITS.search(name)):
            return name
        return self.value(name, depth)

    def _list(self, items: Any, depth: int, *, is_kept: bool) -> Any:
        clean = [self.value(item, depth, is_kept=is_kept) for item in items]
        if all(one is other for one, other in zip(items, clean, strict=True)):
            return items
        return next(kind for kind in _LISTS if isinstance(items, kind))(clean)


def _decoded(text: str) -> Any:
    """Return the object or list that a text is as JSON; None for any other text."""
    plain = text.strip()
    if plain[:1] + plain[-1:] not in ("{}", "[]"):
        return None
    try:
        return json.loads(plain, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of JSON; of two values with one name it would forget one, which is still in the text."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError
    return fields


def safely(scrubber: TextScrubber) -> Callable[[str], str]:
    """Return what scrubs a text and never fails; where the scrubber does, the text is `UNSCRUBBED`.

    Args:
        scrubber: May raise anything.
    """

    def scrub(text: str) -> str:
        try:
            return scrubber.scrub(text).text
        except Exception:  # noqa: BLE001 - what is written must neither leak nor end the request that writes it
            return UNSCRUBBED

    return scrub
