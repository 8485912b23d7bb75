"""How far a locale is from the one that somebody asked for (UTS #35, Enhanced Language Matching).

    language + script + region; 0 is the same, `TOO_FAR` is not understood

The distances of languages and scripts are those of langcodes, from CLDR. The regions are here, because langcodes
has an older list of them.
"""

from langcodes.data_dicts import LANGUAGE_DISTANCES
from langcodes.language_distance import AMERICAS, CNSAR, MAGHREB

from .tags import LocaleKey

TOO_FAR = 50

_REGION = 4
_ACROSS = 5
_LIKE_BRITISH = 3


_ENGLISH = ("en", "Latn")
_IN_AMERICA = (frozenset(AMERICAS) | {"BV", "GS"}, frozenset({"001", "UN"}))
_CLUSTERS: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {
    ("ar", "Arab"): (frozenset(MAGHREB), frozenset({"001", "002", "011", "015", "202", "UN"})),
    _ENGLISH: (
        frozenset({"AS", "CA", "GU", "MH", "MP", "PH", "PR", "UM", "US", "VI"}),
        frozenset({"001", "003", "009", "019", "021", "029", "035", "057", "061", "142", "419", "UN"}),
    ),
    ("es", "Latn"): _IN_AMERICA,
    ("pt", "Latn"): _IN_AMERICA,
    ("zh", "Hant"): (frozenset(CNSAR), frozenset({"001", "030", "142", "UN"})),
}
"""By language and script, regions whose readers are nearer to each other than to the rest of the world; and the
larger regions (UN M49) that have some of these, and others."""

_NOT_NEAR = frozenset({("bs", "sr"), ("hr", "sr"), ("sr", "bs"), ("sr", "hr")})
"""Pairs of langcodes' table that CLDR has no more."""


def near_languages(desired: str) -> dict[str, int]:
    """Return the languages that the readers of one understand, and how far they are."""
    understood = LANGUAGE_DISTANCES.get(desired, {}).items()
    return {desired: 0} | {
        language: far
        for language, far in understood
        if far < TOO_FAR and (desired, language) not in _NOT_NEAR
    }


def distance(desired: LocaleKey, supported: LocaleKey, of_languages: int) -> int:
    """Return how far a locale is from what is asked for.

    Args:
        desired: What is asked for.
        supported: What there is.
        of_languages: The distance of their languages.
    """
    far = of_languages
    if desired.script != supported.script:
        scripts = LANGUAGE_DISTANCES.get(f"{desired.language}_{desired.script}", {})
        far += scripts.get(f"{supported.language}_{supported.script}", TOO_FAR)
    if far < TOO_FAR and desired.region != supported.region:
        far += _of_regions(desired, supported)
    return far


def _of_regions(desired: LocaleKey, supported: LocaleKey) -> int:
    """Return the distance of two regions that are not the same."""
    readers = desired[:2]
    cluster = _CLUSTERS.get(readers)
    if cluster is None or readers != supported[:2]:
        return _REGION
    sides = _sides(desired.region, *cluster) | _sides(supported.region, *cluster)
    if len(sides) > 1:
        return _ACROSS
    is_like_british = readers == _ENGLISH and "GB" in (desired.region, supported.region)
    return _LIKE_BRITISH if is_like_british else _REGION


def _sides(region: str, near: frozenset[str], partly: frozenset[str]) -> set[bool]:
    """Tell whether a region is in a cluster; a large one may be on both sides."""
    return {True, False} if region in partly else {region in near}
