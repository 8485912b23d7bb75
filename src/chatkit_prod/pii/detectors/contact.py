"""Where people can be reached: e-mail addresses and phone numbers."""

import re
from collections.abc import Callable
from functools import lru_cache

from chatkit_prod.pii.detector import ALNUM, Detector
from chatkit_prod.pii.fold import LETTER, OTHER

try:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
except ImportError:
    COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata = None, None  # type: ignore[assignment,misc] # pyright: ignore[reportConstantRedefinition, reportAssignmentType] - they are in an extra

_DIGITS = re.compile("[0-9]+")

_VERSION = re.compile(r".*@[0-9]{1,3}\.[0-9]{1,3}\.")


def is_mailbox(address: str) -> bool:
    """Tell whether an address is somebody's: not a package with its version, not `git@` in the URL of a repository."""
    return not address.startswith("git@") and not _VERSION.match(address)


_CALLING_CODE = re.compile(
    "1|7|2(?:[07]|[1-689][0-9])|3(?:[578][0-9]|[0-469])|4(?:2[0-9]|[013-9])|5(?:[09][0-9]|[1-8])"
    "|6(?:[7-9][0-9]|[0-6])|8(?:[0578][0-9]|[1246])|9(?:6[0-8]|7[0-79]|9[2-68]|[0-58])"
)
"""ITU-T E.164, annex D."""
_EXTENSION = re.compile("[x#e]", re.IGNORECASE)
_EXIT = re.compile("^00 ?")
_NORTH_AMERICA = "1"
_ITALY = "39"


@lru_cache(maxsize=256)
def lengths_by_library(code: str) -> frozenset[int]:
    """Return how many digits may follow a calling code, by the metadata of libphonenumber; none if it is not in use."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code))  # pyright: ignore[reportOptionalMemberAccess] - only asked where it is there
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0]) if regions else None  # pyright: ignore[reportOptionalMemberAccess] - as above
    description = metadata.general_desc if metadata else None
    return frozenset(description.possible_length if description else ())


def lengths_by_rule(code: str) -> frozenset[int]:
    """Return how many digits may follow a calling code, by E.164 alone."""
    return frozenset((10,) if code == _NORTH_AMERICA else range(6, 16 - len(code)))


lengths: Callable[[str], frozenset[int]] = (
    lengths_by_library if COUNTRY_CODE_TO_REGION_CODE else lengths_by_rule
)


def is_international(text: str) -> bool:
    """Tell whether a number with its calling code is long enough, and has a code that is in use.

    What follows behind a space may be another number, so it is enough that some of the groups make one.
    """
    number = _EXIT.sub("", _EXTENSION.split(text, maxsplit=1)[0].replace("(0)", ""))
    groups = _DIGITS.findall(number)
    code = _CALLING_CODE.match(groups[0])
    if code is None:
        return False
    # What is dialled within a country, and left out from abroad; not in Italy, where it is a part of the number.
    trunk = code[0] != _ITALY and "".join(groups).startswith("0", code.end())
    possible = lengths(code[0])
    length = -code.end() - trunk
    return any((length := length + len(group)) in possible for group in groups)


_OTHER = re.compile(
    r"(?:19|20)[0-9]{2}[ ./-][0-9]{2}[ ./-][0-9]{2}(?:[^0-9].*)?"  # a date
    r"|[0-9]{1,2}[ ./-][0-9]{1,2}[ ./-](?:19|20)[0-9]{2}(?:[^0-9].*)?"
    r"|(?:19|20)[0-9]{2}[ /-]{1,3}(?:19|20)[0-9]{2}"  # years
    r"|[0-9]{2}([./-])[0-9]{2}\1[0-9]{2}"  # a short date, a sort code
    r"|[0-9]{3}([ -])[0-9]{2}\2[0-9]{4}"  # a social security number
    r"|[0-9]{5}-[0-9]{4}"  # a ZIP code
    r"|[0-9]{3}-[0-9]{7}-[0-9]{7}"  # an order number of a large shop
    r"|[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+\.[0-9]+"  # an amount
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"  # an address of a machine
    r"|\((?:19|20)[0-9]{2}\).*",  # the year of a publication
    re.DOTALL,
)
_MAX_DIGITS = 13
_PAIRS = re.compile("[0-9]{2}(?:[^0-9]+[0-9]{2})+")
_FRENCH = 5
"""Only in France does a number consist of pairs alone; other pairs are a table, or bytes."""


def _has_digits(text: str, least: int) -> bool:
    number = _EXTENSION.split(text, maxsplit=1)[0]
    return least <= sum(map(len, _DIGITS.findall(number))) <= _MAX_DIGITS and not _OTHER.fullmatch(text)


def is_dialled(text: str) -> bool:
    """Tell whether a number is one with `00` for the plus, and not one that was filled up with zeros."""
    return not text.isdigit() and not _OTHER.fullmatch(text) and is_international(text)


def is_area(text: str) -> bool:
    """Tell whether a number with its area in brackets is a phone number."""
    return _has_digits(text, 8)


def is_trunk(text: str) -> bool:
    """Tell whether a number that begins with zero is a phone number."""
    return _has_digits(text, 9) and (not _PAIRS.fullmatch(text) or len(_DIGITS.findall(text)) == _FRENCH)


def is_grouped(text: str) -> bool:
    """Tell whether groups of digits near a word for phones are a phone number."""
    return _has_digits(text, 6 if len(_DIGITS.findall(text)) > 2 else 7)  # noqa: PLR2004 - such as 61 51 81


_EPOCH = re.compile("1[4-9][0-9]{8}(?:[0-9]{3})?")


def is_plain(text: str) -> bool:
    """Tell whether digits near a word for phones are a phone number, and not the time in seconds or milliseconds."""
    return not _EPOCH.fullmatch(text)


_STRONG = (
    *(
        "phone",
        "telephone",
        "tel.",
        "tel:",
        "tel ",
        "tel#",
        "mobile",
        "cell",
        "fax",
        "whatsapp",
        "sms",
        "hotline",
    ),
    *(
        "can call",
        "call me",
        "call us",
        "call him",
        "call her",
        "call them",
        "call at",
        "call on",
        "please call",
    ),
    *(
        "my number",
        "his number",
        "her number",
        "their number",
        "your number",
        "contact number",
        "answering at",
    ),
    *(
        "reach me",
        "reach us",
        "reach him",
        "reach her",
        "reach them",
        "text me",
        "me at",
        "me on",
        "us at",
        "dial",
    ),
    *("office\n", "my registered", "voicemail", "landline"),
    *(
        "telefon",
        "handy",
        "mobil",
        "rufnummer",
        "durchwahl",
        "festnetz",
        "anrufen unter",
        "rufen sie",
        "erreichbar",
    ),
    *(
        "téléphone",
        "tél",
        "portable",
        "appelez",
        "appeler",
        "joindre",
        "joignable",
        "mon numéro",
        "télécopie",
    ),
    *(
        "teléfono",
        "móvil",
        "movil",
        "celular",
        "llame",
        "llámame",
        "llamar",
        "llamame",
        "mi número",
        "contactar",
    ),
    *("telefone", "telemóvel", "telemovel", "ligue", "ligar", "meu número"),
    *("電話", "携帯", "ファックス", "ファクス", "連絡先", "内線"),
)
_WEAK = (
    "call",
    "contact",
    "office",
    "reach",
    "registered",
    "answering",
    "text",
    "ring",
    "ruf",
    "appel",
    "numéro de",
)

_END = r"[.:/-]?[0-9]|[A-Za-z_" + LETTER + "]"
_RUN_END = f"{_END}| [0-9]{{2}}"
"""Behind as many groups as a number may have, there is no further one."""
_BEFORE = f"{ALNUM}$#_+./-"
_EXT = r"(?: ?(?:[Xx]|[Ee][Xx][Tt]\.?|#) ?[0-9]{1,6})?"
_PLUS = r"\(?\+ ?\(?[1-9]"
_INTERNATIONAL = r"(?:\(\+[1-9][0-9]{0,2}\)|\+ ?\(?[1-9])(?:[ ./()-]{0,3}[0-9]){6,16}" + _EXT
_GROUPS = "[ ./-]{1,2}(?:[0-9]{3,9}|[0-9]{2}[ .-][0-9]{2,8})(?:[ .-][0-9]{2,8}){0,3}" + _EXT

CONTACT = (
    Detector(
        name="email",
        type="EMAIL",
        # RFC 5321 §4.5.3.1.1; of the characters that a local part may hold, those that addresses are made of
        pattern=(
            f"(?:[A-Za-z{LETTER}]{{1,2}}')?[{ALNUM}._%+-]{{1,64}}@[{ALNUM}][{ALNUM}.-]{{0,62}}"
            rf"\.(?:[Xx][Nn]--[0-9A-Za-z]{{2,20}}|[A-Za-z{LETTER}]{{2,13}})"
        ),
        trigger="@",
        lead=67,
        before=f"{ALNUM}._%+-",
        after="",
        check=is_mailbox,
    ),
    Detector(
        name="email_in_url",
        type="EMAIL",
        # RFC 3986 §2.1
        pattern=rf"[{ALNUM}._+-]{{1,64}}%40[{ALNUM}][{ALNUM}.-]{{0,62}}\.[A-Za-z{LETTER}]{{2,13}}",
        trigger="%40",
        lead=64,
        before=f"{ALNUM}._+-",
        after="",
    ),
    Detector(
        name="phone_international",
        type="PHONE",
        pattern=_INTERNATIONAL,
        trigger=r"\+",
        lead=1,
        before=f"{ALNUM}$_+",
        after=_RUN_END,
        check=is_international,
    ),
    Detector(
        name="phone_plus",
        type="PHONE",
        pattern=_INTERNATIONAL,
        trigger=r"\+",
        lead=1,
        before=f"{ALNUM}$_+",
        after=_RUN_END,
        context=(*_STRONG, *_WEAK),
    ),
    Detector(
        name="phone_dialled",
        type="PHONE",
        pattern=rf"00 ?[1-9](?:[ ./()-]{{0,3}}[0-9]){{6,16}}{_EXT}",
        trigger="[0-9]",
        before=_BEFORE,
        after=_RUN_END,
        check=is_dialled,
    ),
    Detector(
        name="phone_area",
        type="PHONE",
        pattern=rf"(?:[0-9]{{1,2}}[ -]?)?\([0-9]{{2,5}}\)[ ./-]{{0,2}}[0-9]{{2,9}}(?:[ .-][0-9]{{2,4}}){{0,3}}{_EXT}",
        trigger=r"\(",
        lead=3,
        before=f"{ALNUM}$#_+.",
        after=_END,
        check=is_area,
    ),
    Detector(
        name="phone_north_american",
        type="PHONE",
        # As it is written in North America: 3-3-4
        pattern=(
            r"(?:(?:001|1)[ .-])?(?:[0-9]{3}-[0-9]{3}-[0-9]{4}|[0-9]{3}\.[0-9]{3}\.[0-9]{4})"
            + _EXT
            + "|(?:(?:001|[0-9]{1,2})[ -])?[2-9][0-9]{2} [2-9][0-9]{2}[ -][0-9]{4}"
            + _EXT
        ),
        trigger="[0-9]",
        before=_BEFORE,
        after=_END,
    ),
    Detector(
        name="phone_trunk",
        type="PHONE",
        pattern="0[1-9][0-9]{0,3}" + _GROUPS,
        trigger="[0-9]",
        before=_BEFORE,
        after=_RUN_END,
        check=is_trunk,
    ),
    Detector(
        name="phone_grouped",
        type="PHONE",
        pattern="[0-9]{1,5}" + _GROUPS,
        trigger="[0-9]",
        before=_BEFORE,
        after=f"{_RUN_END}| ?(?:[$%]|EUR|USD|GBP|CHF|JPY|BRL)| {OTHER}",
        check=is_grouped,
        context=(*_STRONG, *_WEAK),
    ),
    Detector(
        name="phone_plain",
        type="PHONE",
        pattern="[0-9]{7,13}" + _EXT,
        trigger="[0-9]",
        before=_BEFORE,
        after=_END,
        check=is_plain,
        context=_STRONG,
    ),
)
