"""JSON from strangers: one meaning or none."""

import json
from typing import Any, NoReturn

from chatkit_prod.nesting import nests_deeper

_MAX_DEPTH = 32


def parse_object(data: bytes) -> dict[str, Any]:
    """Return a JSON object that every parser would read alike (RFC 8725 §2.4, RFC 7515 §4).

    Args:
        data: UTF-8, untrusted; the caller bounds its size.

    Raises:
        ValueError: It is not JSON in UTF-8, not an object, names a member twice, holds `NaN` or half
            of a surrogate pair, or is nested more than 32 deep.
    """
    if nests_deeper(data, _MAX_DEPTH):
        raise ValueError
    text = data.decode("utf-8")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - it is the value of a document
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # fails for half a surrogate pair
    return value  # pyright: ignore[reportUnknownVariableType]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
