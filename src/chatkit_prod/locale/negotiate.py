"""`Accept-Language` to one of the app's own tags: a pure decision."""

import re
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache

import langcodes

from chatkit_prod.errors import ConfigurationError

_MAX_HEADER_CHARACTERS = 512
_MAX_RANGES = 16
_CACHED_HEADERS = 1024
_MAX_DISTANCE = 25
_MAX_TAGS = 4096
_LOCK = threading.Lock()

_RANGE = re.compile(
    r"[ \t]*(?P<tag>\*|[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?)"
    r"[ \t]*(?:;[ \t]*[qQ]=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
)


class Negotiator:
    """Chooses the language of an answer (RFC 9110 §12.5.4). Immutable, and safe to share by threads.

    Args:
        supported: BCP 47 tags that the app can answer in, best first.
        default: Used when the client accepts none of them; the first of `supported` if None.

    Raises:
        ConfigurationError: `supported` is empty or holds an invalid tag, or lacks `default`.
    """

    def __init__(self, supported: Sequence[str], *, default: str | None = None) -> None:
        if isinstance(supported, str) or not supported:
            raise ConfigurationError(
                f"supported must be a list of at least one BCP 47 tag, not {supported!r}"
            )
        for tag in supported:
            if not isinstance(tag, str) or not langcodes.tag_is_valid(tag):
                raise ConfigurationError(f"{tag!r} is not a valid BCP 47 tag")
        if default is not None and default not in supported:
            raise ConfigurationError(f"default {default!r} is not in supported")
        self._supported = tuple(supported)
        self._default = default if default is not None else self._supported[0]
        self._same_language = {_language(tag): tag for tag in reversed(self._supported)}
        self._matches: dict[str, str | None] = {}
        self._cached = lru_cache(_CACHED_HEADERS)(self._choose)

    def negotiate(self, header: str) -> str:
        """Return the best of the supported tags, exactly as the app spelt it.

        Args:
            header: The value of `Accept-Language`, untrusted. At most 512 characters and 16 ranges
                of it are looked at; what does not follow the grammar is passed over.
        """
        return self._cached(header[:_MAX_HEADER_CHARACTERS])

    def _choose(self, header: str) -> str:
        ranges = sorted(_ranges(header), key=lambda found: -found[1])
        for tag, quality in ranges:
            if quality == 0:
                continue
            if tag == "*":
                return self._default
            best = self._match(tag)
            if best is not None:
                return best
        return self._default

    def _match(self, tag: str) -> str | None:
        """Return the nearest of the supported tags, if one is near enough.

        langcodes keeps every tag that it has ever seen, and fills its caches in a way that two
        threads must not meet: so it is asked about a bounded number of tags, one at a time. Who
        comes after a flood of invented ones gets a tag of the same language.
        """
        with _LOCK:
            if tag not in self._matches:
                if len(self._matches) >= _MAX_TAGS:
                    return self._same_language.get(_language(tag))
                best, _ = langcodes.closest_match(tag, self._supported, max_distance=_MAX_DISTANCE)
                self._matches[tag] = None if best == "und" else best
            return self._matches[tag]


def _language(tag: str) -> str:
    return tag.partition("-")[0].lower()


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        found = _RANGE.fullmatch(part)
        if found is not None:
            yield found["tag"], float(found["q"] or 1)
