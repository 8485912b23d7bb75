"""`Accept-Language` to what the client asks for, and how much: a strict grammar, bounded."""

import re

from .tags import normalized

MAX_CHARACTERS = 512
MAX_RANGES = 16

ANY = "*"
"""The range of any other language."""

_RANGE = re.compile(
    r"(\*|[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*)(?:[ \t]*;[ \t]*[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)


Range = tuple[str, float]
"""What the client asks for (RFC 9110 §12.5.4), in lower case, with hyphens, or `ANY`; and its weight, from 0, which
refuses it, to 1."""


def parse_ranges(header: str) -> list[Range]:
    """Return what the client asks for, the highest weight first, and otherwise in its own order.

    An underscore counts as a hyphen, as some clients write it. What does not follow the grammar is passed over.

    Args:
        header: The value of `Accept-Language`, untrusted. At most `MAX_CHARACTERS` and `MAX_RANGES` of it
            are looked at.
    """
    found: list[Range] = []
    whole = header[: MAX_CHARACTERS + 1]
    parts = whole.split(",", MAX_RANGES)
    if len(whole) > MAX_CHARACTERS:
        parts.pop()  # it may be cut in the middle
    for part in parts[:MAX_RANGES]:
        match = _RANGE.fullmatch(part.strip(" \t"))
        if match is not None:
            tag, weight = match.groups("1")
            found.append((normalized(tag), float(weight)))
    found.sort(key=lambda range_: -range_[1])
    return found
