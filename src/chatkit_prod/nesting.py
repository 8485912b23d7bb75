"""How deep a JSON text nests, before a parser has to follow it there."""

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def nests_deeper(body: bytes, limit: int) -> bool:
    """Tell whether objects and arrays nest deeper than a limit in what may be JSON.

    Args:
        body: UTF-8, untrusted; the caller bounds its size.
        limit: The greatest depth that is good.
    """
    return body.count(b"{") + body.count(b"[") > limit and nesting(body, limit) > limit


def nesting(body: bytes, limit: int) -> int:
    """Return how deep objects and arrays nest in a valid JSON text, or `limit` + 1 if it is deeper.

    Works on whole strings of bytes, so that a hostile body of megabytes costs milliseconds.
    """
    outside = b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(bytes.maketrans(b"{}", b"[]"), _NOT_BRACKETS)
    for depth in range(limit + 1):
        if not brackets:
            return depth
        brackets = brackets.replace(b"[]", b"")
    return limit + 1
