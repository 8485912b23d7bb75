"""The body of a request: bytes in, bytes without personal data out."""

from collections import Counter
from typing import Any

from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError
from chatkit_prod.nesting import nests_deeper

from .cleaning import AnyScrubber, Cleaner, Steps
from .jsontext import decode, encode
from .walk import request_shape, texts

_MAX_DEPTH = 200
"""ChatKit's own parser follows no deeper."""


def clean_request(
    body: bytes, scrubber: AnyScrubber, *, max_values: int, scope: str
) -> Steps[tuple[bytes, Counter[str]]]:
    """Return a body that may go on, and what was found, by type. Without a finding it is the same.

    Args:
        body: As the client sent it: untrusted; the caller bounds its size.
        scrubber: What is taken out.
        max_values: How many members and elements there may be.
        scope: What the pseudonyms are stable in, where the request names no thread.

    Raises:
        ContentTooLargeError: There are more.
        InvalidRequestError: It is not JSON in UTF-8, or nested deeper than ChatKit reads.
    """
    if body.count(b"[") + body.count(b"{") + body.count(b",") > max_values:
        raise ContentTooLargeError("max_json_values")
    if nests_deeper(body, _MAX_DEPTH):
        raise InvalidRequestError
    try:
        value, says_more = decode(body.decode())
    except ValueError:
        raise InvalidRequestError from None
    document: list[Any] = [value]
    cleaner = Cleaner(scrubber)
    changed = yield from cleaner.clean(texts(document, request_shape(), scope))
    return encode(document[0]) if changed or says_more else body, cleaner.found
