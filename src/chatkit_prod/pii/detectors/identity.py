"""Numbers by which states know people.

What a checksum and a form of its own tell from any other number is found wherever it stands; what is a row of
digits with one weak digit of control only behind a word that names it. Countries with the same form share a detector.
"""

import re
from collections.abc import Callable, Sequence
from importlib import import_module

from chatkit_prod.pii.detector import ALNUM, Detector

from . import words

_TRIGGER = "[0-9]"
_BEFORE = f"{ALNUM}_"
_NUMERIC = f"{_BEFORE}.+/-"
_AFTER = f"[{_BEFORE}]|[.-][0-9]"
_MONTH = "(?:0[1-9]|1[0-2])"
_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_OMOCODE = "[0-9L-NP-Vl-np-v]"
_ITIN_GROUPS = frozenset((*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)))


def is_ssn(found: str) -> bool:
    """Tell whether nine digits are in an area, a group and a series that the Social Security Administration uses.

    Since 2011 it is any but these: https://www.ssa.gov/employer/randomization.html
    """
    digits = _digits(found)
    return (
        digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    )


def is_itin(found: str) -> bool:
    """Tell whether nine digits are in a group of the Internal Revenue Service: IRM 3.21.263.2."""
    digits = _digits(found)
    return digits[0] == "9" and int(digits[3:5]) in _ITIN_GROUPS


def is_nino(found: str) -> bool:
    """Tell whether the prefix of a National Insurance number is given out: HMRC, NIM39110."""
    prefix = found[:2].upper()
    return (
        prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        and not set(prefix) & set("DFIQUV")
        and prefix[1] != "O"
    )


def is_nric(found: str) -> bool:
    """Tell whether the last letter of an identity card of Singapore is the one of its digits."""
    first, last = found[0].upper(), found[-1].upper()
    series = {
        "S": (0, "JZIHGFEDCBA"),
        "T": (4, "JZIHGFEDCBA"),
        "F": (0, "XWUTRQPNMLK"),
        "G": (4, "XWUTRQPNMLK"),
        "M": (3, "XWUTRQPNJLK"),
    }
    if first not in series or len(found) != len("S1234567D"):
        return False
    offset, letters = series[first]
    at = (offset + _weigh(found[1:8], (2, 7, 6, 5, 4, 3, 2))) % 11
    return letters[at] == last


def is_rrn(found: str) -> bool:
    """Tell whether a number of South Korea begins with a date of birth; since 2020 there is no checksum."""
    return re.fullmatch(f"[0-9]{{2}}{_MONTH}{_DAY}[1-8][0-9]{{6}}", _digits(found)) is not None


def number_check(name: str) -> Callable[[str], bool] | None:
    """Return what checks a number of a country: the check digits that are easy, and where it is there, python-stdnum, which costs more.

    Args:
        name: A module of `stdnum`, such as `nl.bsn`.

    Returns:
        None if there is neither: the form decides alone.
    """
    try:
        module = import_module(f"stdnum.{name}")
    except ImportError:
        return _EASY.get(name)
    full: Callable[[str], bool] = module.is_valid
    easy = _EASY.get(name)
    return full if easy is None else lambda found: easy(found) and full(found)


def _any_of(*checks: Callable[[str], bool] | None) -> Callable[[str], bool]:
    """Return what tells whether one of the checks passes; a country without a check passes each."""

    def passes(found: str) -> bool:
        return any(check is None or check(found) for check in checks)

    return passes


def _digits(found: str) -> str:
    return "".join(letter for letter in found if letter.isdigit())


def _weigh(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def _weighted(modulus: int, *weights: int) -> Callable[[str], bool]:
    """Return what tells whether the weighted digits, the one of control among them, add up to nothing."""

    def passes(found: str) -> bool:
        digits = _digits(found)
        return len(digits) == len(weights) and _weigh(digits, weights) % modulus == 0

    return passes


def _luhn(found: str) -> bool:
    digits = [int(digit) for digit in reversed(_digits(found))]
    return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


def _cpf(found: str) -> bool:
    digits = _digits(found)
    return (
        len(digits) == len("12345678909")
        and _weigh(digits[:9], range(1, 10)) % 11 % 10 == int(digits[9])
        and _weigh(digits[:10], range(10)) % 11 % 10 == int(digits[10])
    )


def _nir(found: str) -> bool:
    digits = found.upper().replace(" ", "").replace("2A", "19").replace("2B", "18")
    return (int(digits[:13]) + int(digits[13:])) % 97 == 0


def _nn(found: str) -> bool:
    digits = _digits(found)
    return len(digits) == len("85073003328") and any(
        (int(era + digits[:9]) + int(digits[9:])) % 97 == 0 for era in ("", "2")
    )


def _ric(found: str) -> bool:
    digits = [10 if digit in "Xx" else int(digit) for digit in found]
    return sum(digit * (2 << (16 - at)) for at, digit in enumerate(digits[:17])) % 11 == (1 - digits[17]) % 11


def _hetu(found: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(found[:6] + found[7:10]) % 31] == found[10].upper()


def _spanish(found: str) -> bool:
    number, first = found.upper().replace("-", ""), "XYZ".find(found[0].upper())
    digits = number[:-1] if first < 0 else f"{first}{number[1:-1]}"
    return (
        len(number) == len("12345678Z")
        and digits.isdigit()
        and "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]
    )


_EASY: dict[str, Callable[[str], bool]] = {
    "au.tfn": _weighted(11, 1, 4, 3, 7, 5, 8, 6, 9, 10),
    "be.nn": _nn,
    "br.cpf": _cpf,
    "ca.sin": _luhn,
    "ch.ssn": _weighted(10, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1),
    "es.dni": _spanish,
    "es.nie": _spanish,
    "fi.hetu": _hetu,
    "fr.nir": _nir,
    "gb.nhs": _weighted(11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1),
    "il.idnr": _luhn,
    "nl.bsn": _weighted(11, 9, 8, 7, 6, 5, 4, 3, 2, -1),
    "pl.pesel": _weighted(10, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1),
    "za.idnr": _luhn,
}


def _united_states(
    name: str, kind: str, area: str, check: Callable[[str], bool], context: tuple[str, ...]
) -> tuple[Detector, Detector]:
    """Return what finds a number with hyphens anywhere, and one without behind a word."""
    return (
        Detector(
            name=f"{name}_dashed",
            type=kind,
            pattern=f"{area}-[0-9]{{2}}-[0-9]{{4}}",
            trigger=_TRIGGER,
            before=f"{ALNUM}_./#-",
            after=f"[{ALNUM}_]|[.-][0-9]|-[{ALNUM}]",
            check=check,
        ),
        Detector(
            name=name,
            type=kind,
            pattern=f"{area}(?:[0-9]{{6}}|[ .-]{{1,3}}[0-9]{{2}}[ .-]{{1,3}}[0-9]{{4}})",
            trigger=_TRIGGER,
            after=_AFTER,
            check=check,
            context=context,
        ),
    )


def _by_form(
    name: str, pattern: str, check: Callable[[str], bool] | None, *, before: str = _BEFORE, lead: int = 0
) -> Detector:
    """Return what finds a number by a form that no other has."""
    return Detector(
        name=name,
        type="NATIONAL_ID",
        pattern=pattern,
        trigger=_TRIGGER,
        lead=lead,
        before=before,
        after=_AFTER,
        check=check,
    )


def _by_word(
    name: str, pattern: str, context: tuple[str, ...], *checks: Callable[[str], bool] | None, lead: int = 0
) -> Detector:
    """Return what finds a number behind a word that names it."""
    return Detector(
        name=name,
        type="NATIONAL_ID",
        pattern=pattern,
        trigger=_TRIGGER,
        lead=lead,
        before=_BEFORE,
        after=_AFTER,
        check=_any_of(*checks) if checks else None,
        context=context,
    )


def _checks(*names: str) -> list[Callable[[str], bool] | None]:
    return [number_check(name) for name in names]


IDENTITY: tuple[Detector, ...] = (
    *_united_states("us_ssn", "US_SSN", "[0-8][0-9]{2}", is_ssn, words.SOCIAL_SECURITY),
    *_united_states("us_itin", "US_ITIN", "9[0-9]{2}", is_itin, words.TAXPAYER),
    _by_form(
        "fr_nir",
        f"[12] ?[0-9]{{2}} ?{_MONTH} ?(?:[0-9]{{2}}|2[ABab]) ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{2}}",
        number_check("fr.nir"),
        before=_NUMERIC,
    ),
    _by_form(
        "it_codice_fiscale",
        f"[A-Za-z]{{6}}[0-9]{{2}}[A-EHLMPR-Ta-ehlmpr-t]{_OMOCODE}{{2}}[A-Za-z]{_OMOCODE}{{3}}[A-Za-z]",
        number_check("it.codicefiscale"),
        lead=6,
    ),
    _by_form(
        "be_nn", "[0-9]{2}[.][0-9]{2}[.][0-9]{2}-[0-9]{3}[.][0-9]{2}", number_check("be.nn"), before=_NUMERIC
    ),
    _by_form("br_cpf", "[0-9]{3}[.][0-9]{3}[.][0-9]{3}-[0-9]{2}", number_check("br.cpf"), before=_NUMERIC),
    _by_form(
        "br_cnpj",
        "[0-9]{2}[.][0-9]{3}[.][0-9]{3}/[0-9]{4}-[0-9]{2}",
        number_check("br.cnpj"),
        before=_NUMERIC,
    ),
    _by_form("ch_ssn", "756[.]?[0-9]{4}[.]?[0-9]{4}[.]?[0-9]{2}", number_check("ch.ssn"), before=_NUMERIC),
    _by_form(
        "cn_ric",
        f"[1-8][0-9]{{5}}(?:19|20)[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{3}}[0-9Xx]",
        _ric,
        before=_NUMERIC,
    ),
    _by_form(
        "mx_curp",
        f"[A-Za-z]{{4}}[0-9]{{2}}{_MONTH}{_DAY}[HMXhmx][A-Za-z]{{5}}[0-9A-Za-z][0-9]",
        number_check("mx.curp"),
        lead=4,
    ),
    _by_form(
        "fi_hetu",
        f"{_DAY}{_MONTH}[0-9]{{2}}[-+A-FU-Y][0-9]{{3}}[A-FHJ-NPR-Y]",
        number_check("fi.hetu"),
        before=_NUMERIC,
    ),
    _by_form("gb_nino_spaced", "[A-Z]{2} [0-9]{2} [0-9]{2} [0-9]{2} [A-D]", is_nino, lead=3),
    _by_word(
        "gb_nino",
        "[A-Za-z]{2}[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
        words.NATIONAL_INSURANCE,
        is_nino,
        lead=2,
    ),
    _by_word(
        "gb_nino_apart",
        "[A-Za-z]{2} [0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
        words.NATIONAL_INSURANCE,
        is_nino,
        lead=3,
    ),
    _by_word(
        "fi_hetu_named",
        f"{_DAY}{_MONTH}[0-9]{{2}}[-+A-FU-Ya-fu-y][0-9]{{3}}[0-9A-FHJ-NPR-Ya-fhj-npr-y]",
        words.PERSONAL_CODE,
        *_checks("fi.hetu"),
    ),
    _by_word("in_pan", "[A-Za-z]{5}[0-9]{4}[A-Za-z]", words.PERMANENT_ACCOUNT, *_checks("in_.pan"), lead=5),
    _by_word(
        "lettered",
        "[A-Za-z]?[0-9]{7,8}-?[A-Za-z]{1,2}",
        words.LETTERED,
        is_nric,
        *_checks("es.dni", "es.nie", "ie.pps"),
        lead=1,
    ),
    _by_word(
        "lettered_apart",
        "[A-Za-z]-[0-9]{7,8}-?[A-Za-z]{1,2}",
        words.LETTERED,
        *_checks("es.dni", "es.nie"),
        lead=2,
    ),
    _by_word(
        "nine_digits",
        "[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{3}",
        words.NINE_DIGITS,
        *_checks("nl.bsn", "pt.nif", "au.tfn", "ca.sin", "il.idnr", "nz.ird"),
    ),
    _by_word(
        "ten_digits",
        "[0-9]{3}(?:[0-9]{5}[ +-]?[0-9]{4}|[0-9]{3}[ +/-]?[0-9]{4}|[ -][0-9]{3}[ -]?[0-9]{4}|[0-9] [0-9]{6})",
        words.TEN_DIGITS,
        *_checks("gb.nhs", "se.personnummer", "dk.cpr", "cz.rc", "at.vnr", "bg.egn"),
    ),
    _by_word(
        "eleven_digits",
        "[0-9]{2}(?:[0-9]{4}[ -]?[0-9]{5}|[ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?[0-9]{3}|[0-9][ .]?[0-9]{3}[ .]?[0-9]{3}[ -]?[0-9]{2})",
        words.ELEVEN_DIGITS,
        *_checks(
            "de.idnr",
            "pl.pesel",
            "br.cpf",
            "no.fodselsnummer",
            "tr.tckimlik",
            "ee.ik",
            "lt.asmens",
            "hr.oib",
            "gr.amka",
            "be.nn",
        ),
    ),
    _by_word(
        "twelve_digits",
        "[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        words.TWELVE_DIGITS,
        *_checks("in_.aadhaar", "jp.in_"),
    ),
    _by_word(
        "thirteen_digits",
        "(?:[0-9]{6}[ -]?[0-9]{4} ?[0-9]{2} ?[0-9]|[0-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9])",
        words.THIRTEEN_DIGITS,
        is_rrn,
        *_checks("za.idnr", "ro.cnp", "th.pin"),
    ),
    _by_word("br_cnpj_bare", "[0-9]{14}", words.COMPANY, *_checks("br.cnpj")),
)
"""Numbers of people, in the United States and elsewhere."""
