"""An answer that is no stream: JSON in, JSON without personal data out."""

from collections import Counter
from typing import Any

from .cleaning import AnyScrubber, Cleaner, Steps
from .jsontext import decode, encode
from .walk import answer_shape, texts


def clean_answer(body: bytes, scrubber: AnyScrubber, *, scope: str) -> Steps[tuple[bytes, Counter[str]]]:
    """Return an answer that may leave, and what was found, by type. Without a finding it is the same.

    Args:
        body: As the app has made it; of an answer to `HEAD`, nothing.
        scrubber: What is taken out.
        scope: What the pseudonyms are stable in, where the answer names no thread.

    Raises:
        ValueError: It is not JSON in UTF-8.
    """
    cleaner = Cleaner(scrubber)
    if not body:
        return body, cleaner.found
    value, says_more = decode(body.decode())
    document: list[Any] = [value]
    changed = yield from cleaner.clean(texts(document, answer_shape(), scope))
    return encode(document[0]) if changed or says_more else body, cleaner.found
