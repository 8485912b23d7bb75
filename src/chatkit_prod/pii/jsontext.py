"""JSON as its reader would have it, and back."""

import json
from typing import Any, TypeGuard

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def decode(text: str) -> tuple[Any, bool]:
    """Return a JSON value, and whether the text says more than that.

    Of members with one name, readers take the last or the first (RFC 8259 §4): the value has the last, and the
    text must not go on to whoever takes the first.

    Args:
        text: Untrusted; the caller bounds its size and how deep it nests.

    Raises:
        ValueError: It is not JSON.
    """
    says_more = False

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal says_more
        found = dict(pairs)
        says_more |= len(found) < len(pairs)
        return found

    return json.loads(text, object_pairs_hook=members), says_more


def encode(value: Any) -> bytes:
    """Return a value as ChatKit writes it: without spaces, in UTF-8."""
    try:
        return _compact(value).encode()
    except UnicodeEncodeError:  # half of a surrogate pair; the other half may be in the next delta
        return json.dumps(value, separators=(",", ":")).encode()


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether a JSON value is an array."""
    return isinstance(value, list)
