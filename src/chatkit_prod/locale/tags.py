"""What a language tag says, made complete: `zh-TW` is Chinese, in traditional characters, of Taiwan.

    tag → aliases replaced → likely subtags added → LocaleKey

The data is that of langcodes, from CLDR; its functions are not called with what a client sends, because they
keep every tag that they have ever seen, and fill their caches in a way that two threads must not meet.
"""

import re
from typing import NamedTuple

from langcodes.data_dicts import (
    LANGUAGE_REPLACEMENTS,
    LIKELY_SUBTAGS,
    NORMALIZED_MACROLANGUAGES,
    SCRIPT_REPLACEMENTS,
    TERRITORY_REPLACEMENTS,
)

_TAG = re.compile(
    r"([a-z]{2,8})(?:-([a-z]{3}))?(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?"
    r"((?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}|[a-z0-9](?=-))(?:-[a-z0-9]{1,8})*)?)"
)
"""RFC 5646 §2.1, in lower case: language, extended language, script, region, and what begins as the rest may.

Of the extended languages one is enough: no tag is valid with more.
"""

_ALIASES = {
    tag: replacement
    for tag, replacement in (LANGUAGE_REPLACEMENTS | NORMALIZED_MACROLANGUAGES).items()
    if tag not in ("sh", "hbs")  # a language of its own here: its distances say which of its scripts is meant
}
_PSEUDO_REGIONS = frozenset({"XA", "XB", "XC"})
MAX_TAG_CHARACTERS = 512

_PSEUDO_VARIANTS = {"psaccent": "XA", "psbidi": "XB", "pscrack": "XC"}
EXPLICIT_LANGUAGE, EXPLICIT_SCRIPT, EXPLICIT_REGION = 4, 2, 1


class LocaleKey(NamedTuple):
    """A tag with its likely subtags (UTS #35, Likely Subtags), and which of them it had itself.

    Args:
        language: In lower case; empty for none.
        script: In title case.
        region: In upper case, or three digits.
        explicit: The sum of 4, 2 and 1 for a language, a script and a region that the tag names.
        is_plain: Whether that is all it says: no variant, no extension, no private use.
    """

    language: str
    script: str
    region: str
    explicit: int
    is_plain: bool = True


_UNDETERMINED = LocaleKey("und", "", "", 7)
"""It is no language, and so it is like no other."""


def normalized(tag: str) -> str:
    """Return a tag in lower case, with hyphens: as `parse_tag` reads it, and as ranges are compared."""
    return tag.lower().replace("_", "-")


def parse_locale(locale: str) -> LocaleKey | None:
    """Return what a locale says, be it spelt as a tag or as the folder of a catalog; None if it is neither.

    Args:
        locale: Untrusted, of any length.
    """
    return parse_tag(normalized(locale)) if len(locale) <= MAX_TAG_CHARACTERS else None


def parse_tag(tag: str) -> LocaleKey | None:
    """Return what a tag says; None if it does not follow the grammar.

    Args:
        tag: In lower case, of bounded length; untrusted.
    """
    tag = _ALIASES.get(tag, tag).lower() if "-" in tag else tag
    if tag == "und":
        return _UNDETERMINED
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    language, extended, script, region, rest = found.groups("")
    language, script, region = extended or language, script.title(), region.upper()
    return _pseudo(language, script, region, rest) or _complete(language, script, region, is_plain=not rest)


def is_pseudo(key: LocaleKey) -> bool:
    """Tell whether a key is that of a pseudo-locale, which no registry of languages has."""
    return key.region in _PSEUDO_REGIONS


def _pseudo(language: str, script: str, region: str, rest: str) -> LocaleKey | None:
    """Return the key of a pseudo-locale, such as `en-XA`: a language of its own, which is like no other."""
    variant = rest[1:].partition("-")[0]
    kind = region if region in _PSEUDO_REGIONS else _PSEUDO_VARIANTS.get(variant)
    return LocaleKey(f"{kind} {language}", script, kind, 7, not rest) if kind else None


def _complete(language: str, script: str, region: str, *, is_plain: bool) -> LocaleKey:
    alias, _, of_region = _ALIASES.get(language, language).partition("-")
    language, region = "" if alias == "und" else alias, region or of_region
    script = "" if script == "Zzzz" else SCRIPT_REPLACEMENTS.get(script.lower(), script)
    region = "" if region == "ZZ" else TERRITORY_REPLACEMENTS.get(region.lower(), region)
    explicit = (
        (EXPLICIT_LANGUAGE if language else 0)
        + (EXPLICIT_SCRIPT if script else 0)
        + (EXPLICIT_REGION if region else 0)
    )
    if explicit < EXPLICIT_LANGUAGE + EXPLICIT_SCRIPT + EXPLICIT_REGION:
        language, script, region = likely_subtags(language, script, region)
    return LocaleKey(language, script, region, explicit, is_plain)


def likely_subtags(language: str, script: str, region: str) -> tuple[str, str, str]:
    """Return what is most likely meant where one of the three is empty."""
    base = language if language in LIKELY_SUBTAGS else "und"
    found = (
        LIKELY_SUBTAGS.get(f"{base}-{script}-{region}")
        or LIKELY_SUBTAGS.get(f"{base}-{script}")
        or LIKELY_SUBTAGS.get(f"{base}-{region}")
        or LIKELY_SUBTAGS[base]
    )
    likely = found.split("-")
    return language or likely[0], script or likely[1], region or likely[2]
