"""A text with its params in place, in the language of a catalog.

text in the code → catalog → translation → does it have the same {names}? ┬→ filled in
                                                                      └→ the text in the code, filled in
"""

import logging
from collections.abc import Mapping
from functools import lru_cache
from gettext import NullTranslations
from string import Formatter
from typing import Any

from .texts import Plural

logger = logging.getLogger("chatkit_prod")

_HELD_TEXTS = 1024

Field = tuple[str | None, str | None, str | None]


def counted(message: Plural, count: int, translations: NullTranslations, /, **params: object) -> str:
    """Return a text about a number, in the form that the language of a catalog has for it.

    Args:
        message: As in the code.
        count: The number; stands for `{count}`.
        translations: The catalog.
        params: What stands for other `{names}`.
    """
    source = message.one if count == 1 else message.other
    try:
        text = translations.ngettext(*message, count)
    except (
        ArithmeticError,
        ValueError,
        TypeError,
    ):  # a rule of plurals that has no answer, or no whole number
        logger.error("no plural form was found for: %s", source)
        text = source
    return filled(text, source, message, {"count": count, **params})


def looked_up(message: str, translations: NullTranslations) -> str:
    """Return a translation, not filled in; of no text none, where gettext has the head of the catalog."""
    return translations.gettext(message) if message else ""


def filled(text: str, source: str, sources: tuple[str, ...], params: Mapping[str, Any]) -> str:
    """Put the params into a translation; where it has other fields than its sources, into the text in the code."""
    if not params:
        return text
    if text != source and not _fits(text, sources):
        logger.error("a translation does not fit its text: %s", source)
        text = source
    return text.format_map(params)


@lru_cache(_HELD_TEXTS)
def _fits(text: str, sources: tuple[str, ...]) -> bool:
    """Tell whether a translation has the fields of its text; one form of a plural may do without some."""
    known = frozenset[Field]().union(*map(_fields, sources))
    try:
        fields = _fields(text)
    except ValueError:  # it is no format
        return False
    return fields == known if len(sources) == 1 else fields <= known


def _fields(text: str) -> frozenset[Field]:
    """Return what stands in the braces of a text: name, format and conversion."""
    return frozenset(field[1:] for field in Formatter().parse(text) if field[1] is not None)
