"""Numbers that money moves by: payment cards and bank accounts."""

import re
from string import ascii_uppercase

from chatkit_prod.pii.detector import ALNUM, Detector

_SEPARATORS = dict.fromkeys(map(ord, " .-"))
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_ISSUED = re.compile(
    "4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    "|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    "|3[47][0-9]{13}"  # American Express
    "|3(?:0[0-59]|[689][0-9])[0-9]{11}(?:[0-9]{2})?"  # Diners Club
    "|(?:2131|1800)[0-9]{11}|35[0-9]{14}"  # JCB
    "|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover
    "|(?:62|81)[0-9]{14}(?:[0-9]{3})?"  # UnionPay
    "|(?:60|82|508[0-9]|220[0-4]|9792|50[0-9]{2}|5[6-8][0-9]{2}|6[37][0-9]{2})[0-9]{12}"  # RuPay, Mir, Troy, Maestro
    "|(?:5018|5020|5038|5893|6304|6390|6759|676[1-3]|0604)[0-9]{8}(?:[0-9]{7})?"  # Maestro
)
"""Beginnings and lengths that are in use (ISO/IEC 7812-1)."""

_CARD_CONTEXT = (
    *(
        "card",
        "credit",
        "debit",
        "visa",
        "mastercard",
        "maestro",
        "amex",
        "american express",
        "discover",
        "diners",
    ),
    *("jcb", "unionpay", "rupay", "cc ", "cc:", "cc#", "ccn", "payment"),
    *(
        "kredit",
        "karte",
        "kartennummer",
        "bankkarte",
        "carte",
        "tarjeta",
        "tarjetas",
        "cartão",
        "cartao",
        "crédito",
    ),
    *("カード", "クレジット"),
)


def digits_of(text: str) -> str:
    """Return the digits of a number, without what stands between them."""
    return text.translate(_SEPARATORS)


def has_luhn(text: str) -> bool:
    """Tell whether a number has the check digit of ISO/IEC 7812-1, annex B; all zeros have, and are none."""
    digits = [ord(digit) - 48 for digit in reversed(digits_of(text))]
    total = sum(digits[::2]) + sum(_DOUBLED[digit] for digit in digits[1::2])
    return total > 0 and total % 10 == 0


def is_card(text: str) -> bool:
    """Tell whether a number is one that an issuer may have put on a card."""
    return bool(_ISSUED.fullmatch(number := digits_of(text))) and has_luhn(number)


_LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Countries by the length of their numbers (ISO 13616-1 registry)."""

_MIN_DIGITS = 8
"""Hardly any has fewer; words and a little luck would do."""
_VALUES = {
    ord(letter): str(int(letter, 36)) for upper in ascii_uppercase for letter in (upper, upper.lower())
}


def is_iban(text: str) -> bool:
    """Tell whether what looks like a bank account number has the check digits of ISO 7064, mod 97-10."""
    number = text.replace(" ", "")
    if sum(map(number.count, "0123456789")) < _MIN_DIGITS:
        return False
    return int((number[4:] + number[:4]).translate(_VALUES)) % 97 == 1


def _country(code: str) -> str:
    return "".join(f"[{letter}{letter.lower()}]" for letter in code)


def _iban(length: int, countries: str) -> str:
    return f"(?:{'|'.join(map(_country, countries.split()))})[0-9]{{2}}(?: ?[0-9A-Za-z]){{{length - 4}}}"


_CARD_BEFORE = f"{ALNUM}_.+-"
_CARD_AFTER = rf"[{ALNUM}_]|\.[0-9]"


def _grouped(name: str, *groups: str) -> Detector:
    """Return a detector of cards that are printed in such groups, with a space, a dot, or a dash between spaces."""
    return Detector(
        name=name,
        type="CREDIT_CARD",
        pattern="(?:[ .]| ?- ?)".join(groups),
        trigger="[0-9]",
        before=_CARD_BEFORE,
        after=_CARD_AFTER,
        check=is_card,
    )


MONEY = (
    Detector(
        name="card",
        type="CREDIT_CARD",
        pattern="[0-9]{12,19}",
        trigger="[0-9]",
        before=_CARD_BEFORE,
        after=_CARD_AFTER,
        check=is_card,
    ),
    Detector(
        name="card_in_context",
        type="CREDIT_CARD",
        pattern="[0-9]{12,19}",
        trigger="[0-9]",
        before=_CARD_BEFORE,
        after=_CARD_AFTER,
        check=has_luhn,
        context=_CARD_CONTEXT,
    ),
    # One by one: what follows behind a space may be the end of the number, or its security code.
    _grouped("card_12", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}"),
    _grouped("card_13", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}", "[0-9]"),
    _grouped("card_14", "[0-9]{4}", "[0-9]{6}", "[0-9]{4}"),
    _grouped("card_15", "[0-9]{4}", "[0-9]{6}", "[0-9]{5}"),
    _grouped("card_15_in_fours", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}", "[0-9]{3}"),
    _grouped("card_16", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}"),
    _grouped("card_19", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}", "[0-9]{4}", "[0-9]{3}"),
    Detector(
        name="iban",
        type="IBAN",
        pattern="|".join(_iban(length, countries) for length, countries in _LENGTHS.items()),
        trigger="[0-9]",
        lead=2,
        before=f"{ALNUM}_",
        check=is_iban,
    ),
    Detector(
        name="iban_in_context",
        type="IBAN",
        pattern="[A-Za-z]{2}[0-9]{2}[0-9A-Za-z]{11,30}",
        trigger="[0-9]",
        lead=2,
        before=f"{ALNUM}_",
        check=is_iban,
        context=("iban",),
    ),
)
