"""Passports and driving licences: their numbers look like any other, so a word has to say what they are."""

import re

from chatkit_prod.pii.detector import ALNUM, Detector

from . import words

_TRIGGER = "[0-9]"
_BEFORE = f"{ALNUM}_-"
_AFTER = f"[{ALNUM}_]|[-.:/][0-9]|-[0-9A-Fa-f]{{4}}-"
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_MOST_LETTERS = 6


def is_document_number(found: str) -> bool:
    """Tell whether a word may be the number of a document: mostly digits, and not a date such as 20310131."""
    digits = sum(letter.isdigit() for letter in found)
    letters = sum(letter.isalpha() for letter in found)
    return digits >= max(4, letters - 1) and letters <= _MOST_LETTERS and not _DATE.fullmatch(found)


def is_licence_number(found: str) -> bool:
    """Tell whether a word may be the number of a driving licence; those of the United Kingdom begin with a name."""
    return (
        is_document_number(found)
        or re.fullmatch(r"[A-Z9]{5}\d{6}[A-Z9]{2}[0-9A-Z]{3}", found.upper()) is not None
    )


DOCUMENTS: tuple[Detector, ...] = (
    Detector(
        name="passport",
        type="PASSPORT",
        # ICAO 9303-3 §4.2.2: at most nine characters in the document's own zone; longer ones carry a check digit
        pattern="[0-9A-Za-z]{1,6}[0-9]{2}[0-9A-Za-z]{3,8}",
        trigger=_TRIGGER,
        lead=6,
        before=_BEFORE,
        after=_AFTER,
        check=lambda found: len(found) in range(7, 11) and is_document_number(found),
        context=words.PASSPORT,
    ),
    Detector(
        name="driving_licence",
        type="DRIVING_LICENCE",
        # AAMVA DL/ID standard, annex D: each state its own; also Germany, France, Spain, Brazil, Japan
        pattern="[0-9A-Za-z]{0,7}[0-9]{2}[0-9A-Za-z]{3,16}",
        trigger=_TRIGGER,
        lead=7,
        before=_BEFORE,
        after=_AFTER,
        check=lambda found: len(found) in range(6, 19) and is_licence_number(found),
        context=words.DRIVING_LICENCE,
    ),
    Detector(
        name="driving_licence_grouped",
        type="DRIVING_LICENCE",
        # Florida, Illinois, Maryland, Michigan, Minnesota, New Jersey, Wisconsin: a letter, then groups
        pattern="[A-Za-z][0-9]{2,4}(?:[- ][0-9]{2,5}){2,3}(?:[- ][0-9]{1,2})?",
        trigger=_TRIGGER,
        lead=1,
        before=_BEFORE,
        after=_AFTER,
        context=words.DRIVING_LICENCE,
    ),
)
"""Passports and driving licences, each behind a word that names it."""
