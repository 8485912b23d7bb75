"""What a locale means to a model and to a page: the name of its language, and the direction of its script."""

import json
from functools import cache
from importlib.resources import files
from typing import Literal

from chatkit_prod.errors import ConfigurationError

from .tags import EXPLICIT_REGION, EXPLICIT_SCRIPT, LocaleKey, likely_subtags, parse_locale

_RIGHT_TO_LEFT = frozenset(
    {"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}
)
"""The scripts in use that are written from right to left (CLDR, scriptMetadata)."""


def language_instruction(locale: str) -> str:
    """Return a line for the system prompt, such as "Answer in French (Canada).".

    It consists of names out of a table alone: nothing of a tag stands in it, whoever made that up.

    Args:
        locale: One of the app's own tags, such as `context.locale`.

    Raises:
        ConfigurationError: It is no tag, or its language has no name.
    """
    return f"Answer in {language_name(locale)}."


def language_name(locale: str) -> str:
    """Return what the language of a locale is called in English, such as `Chinese (Traditional, Taiwan)`.

    Args:
        locale: One of the app's own tags.

    Raises:
        ConfigurationError: It is no tag, or its language has no name.
    """
    key, names = _key(locale), _names()
    name = names["languages"].get(key.language)
    if name is None:
        raise ConfigurationError("this locale has a language without a name: write the line for it yourself")
    usual = likely_subtags(key.language, "", "")
    has_script = key.explicit & EXPLICIT_SCRIPT or key.script != usual[1]
    details = [
        names["scripts"].get(key.script) if has_script else None,
        names["regions"].get(key.region) if key.explicit & EXPLICIT_REGION else None,
    ]
    named = ", ".join(detail for detail in details if detail is not None)
    return f"{name} ({named})" if named else name


def text_direction(locale: str) -> Literal["ltr", "rtl"]:
    """Return the direction of a locale's script, for the attribute `dir` of a page.

    Args:
        locale: One of the app's own tags.

    Raises:
        ConfigurationError: It is no tag.
    """
    return "rtl" if _key(locale).script in _RIGHT_TO_LEFT else "ltr"


@cache
def _names() -> dict[str, dict[str, str]]:
    """Return the tables: what languages, scripts and regions are called in English (CLDR)."""
    tables: dict[str, dict[str, str]] = json.loads(
        (files("chatkit_prod.locale") / "names.json").read_text("utf-8")
    )
    return tables


def _key(locale: str) -> LocaleKey:
    tag = parse_locale(locale) if isinstance(locale, str) else None
    if tag is None:
        raise ConfigurationError("a locale must be a BCP 47 tag, such as one of supported")
    return tag
