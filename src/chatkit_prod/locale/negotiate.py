"""`Accept-Language` to one of the app's own tags: a pure decision.

    header → ranges.py → tags.py → distance.py → the nearest tag, or the default

It decides as ICU's `LocaleMatcher` does, with the weights and refusals of HTTP.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache

import langcodes

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import listed

from .distance import TOO_FAR, distance, near_languages
from .ranges import ANY, MAX_CHARACTERS, Range, parse_ranges
from .tags import LocaleKey, is_pseudo, likely_subtags, normalized, parse_tag

CACHED_HEADERS = 1024

_LATER = 5
"""How much nearer a locale must be that is asked for one place further down in the client's list."""

_PARADIGMS = frozenset({("en", "US"), ("en", "GB"), ("es", "ES"), ("es", "419"), ("pt", "BR"), ("pt", "PT")})
"""Locales that stand for others of their language, where several are equally near (CLDR, paradigmLocales)."""

_NONE: frozenset[str] = frozenset()

_LANGCODES = threading.Lock()
"""Its caches must not be filled by two threads at once."""


class _Entry:
    """One of the app's tags.

    Args:
        tag: As the app spells it.
        range: In lower case, with hyphens: what a range of the header is compared with.
        key: What it says.
        rank: Its place among those that are equally near.
    """

    __slots__ = ("key", "range", "rank", "tag")

    def __init__(self, tag: str, key: LocaleKey, rank: int) -> None:
        self.tag = tag
        self.range = normalized(tag)
        self.key = key
        self.rank = rank


class Negotiator:
    """Chooses the language of an answer (RFC 9110 §12.5.4). Immutable, and safe to share by threads.

    Args:
        supported: BCP 47 tags that the app can answer in, best first; in any case.
        default: Used when the client accepts none of them; the first of `supported` if None.

    Raises:
        ConfigurationError: `supported` is empty or holds an invalid tag, or lacks `default`.
    """

    def __init__(self, supported: Sequence[str], *, default: str | None = None) -> None:
        tags = listed(supported, "supported")
        if not tags:
            raise ConfigurationError("supported must hold at least one BCP 47 tag")
        if default is not None and default not in tags:
            raise ConfigurationError(f"default {default!r} is not in supported")
        self._supported = tags
        self._default = tags[0] if default is None else default
        self._entries = _entries(tags, self._default)
        self._special = {entry.range: entry for entry in self._entries if not entry.key.is_plain}
        self._by_language: dict[str, list[_Entry]] = {}
        for entry in self._entries:
            self._by_language.setdefault(entry.key.language, []).append(entry)
        self._cached = lru_cache(CACHED_HEADERS)(self._choose)

    @property
    def supported(self) -> tuple[str, ...]:
        """The tags."""
        return self._supported

    @property
    def default(self) -> str:
        """The one that is used when the client accepts none of them."""
        return self._default

    def negotiate(self, header: str | bytes | None) -> str:
        """Return the best of the supported tags, exactly as the app spelt it.

        Args:
            header: The value of `Accept-Language`, untrusted; None if there is none. At most 512 characters and 16 ranges
                of it are looked at; what does not follow the grammar is passed over.
        """
        return self._cached((header or "")[: MAX_CHARACTERS + 1])[0]

    def match(self, header: str | bytes | None) -> str | None:
        """Return the best of the supported tags that the client accepts; None if it accepts none of them.

        Args:
            header: As for `negotiate`; a single tag will do.
        """
        tag, is_accepted = self._cached((header or "")[: MAX_CHARACTERS + 1])
        return tag if is_accepted else None

    def _choose(self, header: str | bytes) -> tuple[str, bool]:
        """Return a tag, and whether the client accepts it."""
        ranges = parse_ranges(header.decode("latin-1") if isinstance(header, bytes) else header)
        wanted = [tag for tag, weight in ranges if weight > 0]
        refused = self._refused(ranges) if len(wanted) < len(ranges) else _NONE
        best = self._nearest(wanted, refused)
        if best is not None:
            return best.tag, True
        return next(entry.tag for entry in self._entries if entry.tag not in refused), False

    def _refused(self, ranges: Sequence[Range]) -> frozenset[str]:
        """Return the tags that the client does not want; none where that would be all of them."""
        weights = dict(reversed(ranges))  # of one said twice, the higher
        refused = frozenset(entry.tag for entry in self._entries if _weight(entry.range, weights) == 0)
        return _NONE if len(refused) == len(self._entries) else refused

    def _nearest(self, wanted: Sequence[str], refused: frozenset[str]) -> _Entry | None:
        """Return the nearest tag to a list of ranges, the best of them first."""
        best: _Entry | None = None
        limit = _fine(TOO_FAR)
        for tag in wanted:
            if tag == ANY:
                unnamed = self._unnamed(wanted, refused) if best is None else None
                if unnamed is not None:
                    return unnamed
                continue
            special = self._special.get(tag)
            if special is not None and special.tag not in refused:
                return special
            key = parse_tag(tag)
            if key is None:
                continue
            nearer, limit = self._nearer(key, limit, refused)
            best = nearer or best
            limit -= _fine(_LATER)
            if best is None:
                limit = max(limit, _fine(_LATER) + 1)  # what is almost the same is welcome at any place
            elif limit <= 0:
                break
        return best

    def _nearer(self, desired: LocaleKey, limit: int, refused: frozenset[str]) -> tuple[_Entry | None, int]:
        """Return the nearest tag to a locale that is nearer than a limit, if there is one, and how near it is."""
        best: _Entry | None = None
        for entry, of_languages in self._understood(desired.language):
            if entry.tag in refused:
                continue
            near = _fine(distance(desired, entry.key, of_languages)) or _unlike(desired, entry.key)
            if near < limit:
                best, limit = entry, near
            elif best is not None and 0 < near == limit and _is_likelier(entry.key, best.key):
                best = entry
        return best, limit

    def _understood(self, language: str) -> list[tuple[_Entry, int]]:
        """Return the tags whose languages the readers of one understand, and how far these are."""
        found = [
            (entry, far)
            for near, far in near_languages(language).items()
            for entry in self._by_language.get(near, ())
        ]
        found.sort(key=lambda pair: pair[0].rank)
        return found

    def _unnamed(self, wanted: Sequence[str], refused: frozenset[str]) -> _Entry | None:
        """Return what `*` stands for: the app's best tag that no other range speaks of."""
        named = [tag for tag in wanted if tag != ANY]
        for entry in self._entries:
            if entry.tag not in refused and not any(_is_within(entry.range, tag) for tag in named):
                return entry
        return None


def _entries(tags: Sequence[str], default: str) -> list[_Entry]:
    """Return the tags, the default first."""
    keys = {tag: _parse(tag) for tag in tags}
    home = keys[default][:3]

    def rank(tag: str) -> tuple[bool, bool, bool]:
        key = keys[tag]
        return key[:3] != home, (key.language, key.region) not in _PARADIGMS, not key.is_plain

    places = {tag: place for place, tag in enumerate(sorted(keys, key=rank))}
    found = [_Entry(tag, keys[tag], places[tag]) for tag in keys]
    found.sort(key=lambda entry: entry.tag != default)
    return found


def _parse(tag: str) -> LocaleKey:
    found = parse_tag(normalized(tag))
    with _LANGCODES:
        if found is None or not (is_pseudo(found) or langcodes.tag_is_valid(tag)):
            raise ConfigurationError(f"{tag!r} is not a valid BCP 47 tag")
    return found


def _weight(tag: str, weights: Mapping[str, float]) -> float | None:
    """Return the weight of the most exact range that speaks of a tag (RFC 4647 §3.3.1); None if none does."""
    while tag:
        if tag in weights:
            return weights[tag]
        tag = tag.rpartition("-")[0]
    return weights.get(ANY)


def _is_within(tag: str, range_: str) -> bool:
    """Tell whether a range speaks of a tag (RFC 4647 §3.3.1)."""
    return tag == range_ or tag.startswith(f"{range_}-")


def _fine(far: int) -> int:
    """Return a distance in eighths: the rest is for tags that mean the same, and say more or less of it."""
    return far * 8


def _unlike(one: LocaleKey, other: LocaleKey) -> int:
    """Return how unlike two tags are that mean the same: from 0 to 7, for what only one of them names."""
    return one.explicit ^ other.explicit


def _is_likelier(one: LocaleKey, other: LocaleKey) -> bool:
    """Tell whether the first of two equally near locales is the usual one of its language or script."""
    if one.language != other.language:
        return False
    if one.script != other.script:
        return one.script == likely_subtags(one.language, "", "")[1]
    return one.region != other.region and one.region == likely_subtags(one.language, one.script, "")[2]
