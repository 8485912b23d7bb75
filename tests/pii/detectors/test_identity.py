"""Numbers of people, found by their rules and left alone without them."""

import random
import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors.identity import IDENTITY, _any_of, is_nino, is_nric, number_check
from tests.pii.oracle import findings

DIGITS = st.text("0123456789", min_size=9, max_size=9)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, IDENTITY)]


@given(DIGITS)
def test_a_number_with_hyphens_is_one_of_social_security_exactly_in_its_areas(digits: str) -> None:
    number = f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"
    is_issued = (
        digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    )
    assert (("US_SSN", number) in kinds(f"It is {number}.")) == is_issued


@given(DIGITS)
def test_a_number_with_hyphens_is_a_taxpayers_exactly_in_its_groups(digits: str) -> None:
    number = f"9{digits[1:3]}-{digits[3:5]}-{digits[5:]}"
    group = int(digits[3:5])
    is_issued = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    assert (kinds(f"It is {number}.") == [("US_ITIN", number)]) == is_issued


@pytest.mark.parametrize(
    "number", ["123456789", "123 45 6789", "123.45.6789", "123 - 45 - 6789", "123-45-6789"]
)
@pytest.mark.parametrize(
    "before",
    ["SSN: ", "ssn#", "My Social Security number is ", "Sozialversicherungsnummer ", "sécurité sociale : ",
     "seguridad social ", "segurança social ", "社会保障番号は"],
)  # fmt: skip
def test_a_word_tells_a_number_of_social_security_in_any_form(before: str, number: str) -> None:
    assert kinds(before + number) == [("US_SSN", number)]


@pytest.mark.parametrize("number", ["912701234", "912 70 1234"])
def test_a_word_tells_a_taxpayers_number_in_any_form(number: str) -> None:
    assert kinds(f"ITIN: {number}") == [("US_ITIN", number)]


@pytest.mark.parametrize(
    "text",
    [
        "123456789", "123 45 6789", "1-123-45-6789", "123-45-67890", "123-45-6789-1", "123-45-6789.1", "a123-45-6789",
        "/123-45-6789/", "SSN 12345-6789", "SSN 900-12-3456", "90210-1234", "912-69-1234", "itinerary 912701234",
        "since 046454286", "nobody's 123456782",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert kinds(text) == []


ANYWHERE = [
    "1 85 05 78 006 084 91", "185057800608491", "RSSMRA85T10A562S", "rssmra85t10a562s", "85.07.30-033.28",
    "123.456.789-09", "11.222.333/0001-81", "756.9217.0769.85", "11010519491231002X", "131052-308T", "AB 12 34 56 C",
    "BOXW310820HNERXN09",
]  # fmt: skip
NAMED = [
    ("NINO: ", "AB123456C"), ("National Insurance number ", "ab123456c"), ("NHS number: ", "943 476 5919"),
    ("Steuer-ID: ", "36 574 261 809"), ("steueridentifikationsnummer ", "36574261809"), ("DNI ", "12345678Z"),
    ("NIE: ", "X-1234567-L"), ("documento de identidad ", "12345678-z"), ("BSN ", "111222333"), ("PESEL ", "44051401359"),
    ("NIF: ", "501964843"), ("contribuinte n.º ", "501 964 843"), ("CPF ", "12345678909"), ("CNPJ: ", "11222333000181"),
    ("personnummer ", "880320-0016"), ("Personnummer: ", "198803200016"), ("HETU ", "131052-308T"),
    ("Aadhaar: ", "2341 2341 2346"), ("PAN: ", "ACUPA7085R"), ("マイナンバー: ", "6214 9832 0257"), ("個人番号は", "621498320257"),
    ("SIN: ", "123-456-782"), ("TFN ", "123 456 782"), ("주민등록번호 ", "971013-3019902"), ("RRN: ", "971013-1019902"),
    ("NRIC ", "S1234567D"), ("NRIC: ", "T1234567J"), ("FIN: ", "G1234567X"), ("ID number: ", "F1234567N"), ("PPS: ", "6433435F"),
    ("CPR ", "211062-5629"), ("rodné číslo ", "710319/2745"), ("fødselsnummer ", "15108695088"), ("id card ", "M1234567K"),
    ("T.C. kimlik ", "17291716060"), ("ID number ", "850101 5800 08 8"),
]  # fmt: skip


@pytest.mark.parametrize("number", ANYWHERE)
def test_what_a_checksum_proves_is_found_anywhere(number: str) -> None:
    assert kinds(f"see {number}, please") == [("NATIONAL_ID", number)]


@pytest.mark.parametrize(("word", "number"), NAMED)
def test_what_a_word_names_is_found_behind_it_alone(word: str, number: str) -> None:
    assert kinds(word + number) == [("NATIONAL_ID", number)]
    if number not in ANYWHERE:
        assert kinds(f"see {number}") == []


@pytest.mark.parametrize("number", ANYWHERE)
def test_one_digit_wrong_and_it_is_none(number: str) -> None:
    at = max(at for at, letter in enumerate(number) if letter.isdigit())
    wrong = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
    assert (kinds(f"see {wrong}") == []) == (number != "AB 12 34 56 C")  # that has no checksum


EASY = ["au.tfn", "be.nn", "br.cpf", "ca.sin", "ch.ssn", "es.dni", "es.nie", "fi.hetu", "fr.nir", "gb.nhs",
        "il.idnr", "nl.bsn", "pl.pesel", "za.idnr"]  # fmt: skip
LENGTH = {"au.tfn": 9, "be.nn": 11, "br.cpf": 11, "ca.sin": 9, "ch.ssn": 13, "fr.nir": 15, "gb.nhs": 10,
          "il.idnr": 9, "nl.bsn": 9, "pl.pesel": 11, "za.idnr": 13}  # fmt: skip


def without_library(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[str], bool] | None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, f"stdnum.{name}", None)
        return number_check(name)


@pytest.mark.parametrize("name", EASY)
def test_without_the_library_no_number_that_it_knows_is_missed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, own = number_check(name), without_library(monkeypatch, name)
    assert library is not None
    assert own is not None
    assert library is not own
    draw = random.Random(name)
    known = accepted = 0
    for _ in range(3000):
        digits = "".join(draw.choices("0123456789", k=LENGTH.get(name, 8)))
        if name == "ch.ssn":
            digits = f"756{digits[3:]}"
        elif name == "es.dni":
            digits += draw.choice("TRWAGMYFPDXBNJZSQVHLCKE")
        elif name == "es.nie":
            digits = draw.choice("XYZ") + digits[1:] + draw.choice("TRWAGMYFPDXBNJZSQVHLCKE")
        elif name == "fi.hetu":
            digits = (
                f"{draw.randrange(1, 29):02}{draw.randrange(1, 13):02}{digits[:2]}-{draw.randrange(2, 900):03}"
                + draw.choice("0123456789ABCDEFHJKLMNPRSTUVWXY")
            )
        known += library(digits)
        accepted += own(digits)
        assert own(digits) or not library(digits)
    assert known <= accepted < 600


def test_without_the_library_and_without_an_easy_check_the_form_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert without_library(monkeypatch, "it.codicefiscale") is None
    assert _any_of(None)("anything")


@pytest.mark.parametrize("name", ["au.tfn", "nl.bsn", "br.cpf", "be.nn", "es.dni"])
def test_another_length_is_no_number_of_that_country(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = without_library(monkeypatch, name)
    assert own is not None
    assert not own("1234567")


@pytest.mark.parametrize("number", ["GB123456A", "DA123456A", "AO123456A"])
def test_a_prefix_that_is_not_given_out_is_no_national_insurance(number: str) -> None:
    assert not is_nino(number)


@pytest.mark.parametrize("number", ["A1234567D", "S12345678D", "S1234567A"])
def test_another_letter_is_no_identity_card_of_singapore(number: str) -> None:
    assert not is_nric(number)


@pytest.mark.parametrize("detector", IDENTITY, ids=lambda detector: detector.name)
def test_every_number_holds_its_trigger_where_it_says(detector: Detector) -> None:
    for word, number in [
        *NAMED,
        *(("", number) for number in ANYWHERE),
        ("SSN", "123-45-6789"),
        ("ITIN", "912-70-1234"),
    ]:
        if re.match(detector.pattern, number):
            found = re.search(detector.trigger, number)
            assert found
            assert found.start() <= detector.lead, word
