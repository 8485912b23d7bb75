"""Passports and driving licences, behind a word that names them."""

import pytest

from chatkit_prod.pii.detectors.documents import DOCUMENTS, is_document_number
from tests.pii.oracle import findings

PASSPORTS = [
    "123456789",
    "A12345678",
    "C01X00T47",
    "12AB34567",
    "TK1234567",
    "XDB123456",
    "E12345678",
    "l898902c3",
]
LICENCES = [
    "950735093", "50473044", "U62928788557186", "A125325867", "LH329609T", "a56319335", "MORGA657054SM9IJ",
    "B072RRE2I55", "301234567890", "D123-4567-8901", "F255-921-50-094-0", "S530 4607 1234",
]  # fmt: skip


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, DOCUMENTS)]


@pytest.mark.parametrize("number", PASSPORTS)
@pytest.mark.parametrize(
    "before",
    [
        "Passport no. ",
        "my passport is ",
        "Reisepass: ",
        "passeport n° ",
        "Pasaporte ",
        "passaporte: ",
        "パスポート番号は",
    ],
)
def test_a_passport_is_found_behind_its_word(before: str, number: str) -> None:
    assert kinds(before + number) == [("PASSPORT", number)]
    assert kinds(f"number {number}") == []


@pytest.mark.parametrize("number", LICENCES)
@pytest.mark.parametrize(
    "before",
    ["My driver's license number is ", "driver’s license ", "Driving licence: ", "DL: ", "Führerschein Nr. ",
     "permis de conduire n° ", "carnet de conducir ", "carteira de habilitação: ", "CNH ", "運転免許証番号 "],
)  # fmt: skip
def test_a_driving_licence_is_found_behind_its_word(before: str, number: str) -> None:
    assert kinds(before + number) == [("DRIVING_LICENCE", number)]
    assert kinds(f"number {number}") == []


@pytest.mark.parametrize(
    "text",
    [
        "passport expires 2031-01-31",
        "passport expires 20310131",
        "passport renewal form DS11 of 2024",
        "passport thr_ab12cd34",
        "passport 550e8400-e29b-41d4-a716-446655440000",
        "The driver's license is valid until 31.01.2031 at 10:30",
        "the headline 950735093",
        "driver's license costs 1234567.50",
        "passport.js 0.7.0 authenticates",
        "driving licence renewals2024plus",
    ],
)
def test_what_is_no_number_of_a_document_stays(text: str) -> None:
    assert kinds(text) == []


def test_a_word_that_is_mostly_letters_is_no_number() -> None:
    assert not is_document_number("ABCDEFG12345678")
    assert is_document_number("ABC123456")
