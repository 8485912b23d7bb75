"""E-mail addresses and phone numbers."""

import importlib.util
import random
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.detector import Detector
from chatkit_prod.pii.detectors import contact
from chatkit_prod.pii.detectors.contact import CONTACT, lengths_by_library, lengths_by_rule
from tests.pii.corpus import LOOKALIKES
from tests.pii.oracle import findings


def kinds(text: str, detectors: tuple[Detector, ...] = CONTACT) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, detectors)]


def without_the_library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    spec = importlib.util.spec_from_file_location("contact_alone", contact.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "a.b+c_d%e-f@mail.example.co.uk",
        "jörg@müller.example",
        "o'neil@example.com",
        "x@xn--mller-kva.example",
        "x@example.xn--p1ai",
        "ada＠example.com",  # noqa: RUF001 - full width
        "a\xadda@exam\u200bple.com",
        "1@163.com",
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "Write to {}.", "<{}>", "'{}'", "mailto:{}?subject=x", "**{}**", "at={}&b", "{}-Office"]
)
def test_an_address_is_found_whole(text: str, address: str) -> None:
    assert kinds(text.format(address)) == [("EMAIL", address)]


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:a/b.git",
        "npm i react@18.2.0-beta.rc",
        "@ada",
        "ada@",
        "a@b",
        "a @ b.com",
        "f(x)@y",
        "@media (min-width: 3px)",
    ],
)
def test_what_has_an_at_sign_is_not_always_an_address(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "number",
    [
        *(
            "+49 30 1234567",
            "+49 (0)30 1234567",
            "+49(0)301234567",
            "(+57) 301 234 56 78",
            "+1-212-555-0123x4567",
        ),
        *(
            "+39 06 1234 5678",
            "+44 20 7946 0123",
            "+380 44 123 45 67",
            "0044 20 7946 0123",
            "00 49 30 1234567",
        ),
        *(
            "001-212-555-0123x45",
            "212-555-0123",
            "(212)555-0123",
            "(212) 555-0123 ext. 45",
            "212.555.0123x456",
        ),
        *("1-800-555-0123", "1 (800) 555-0123", "(800) 555-0123", "212 555 0123", "8 (495) 123-45-67"),
        *(
            "020 7946 0123",
            "030/1234567",
            "0171 1234567",
            "01.23.45.67.89",
            "06 12 34 56 78",
            "090-1234-5678",
        ),
        *(
            "(03) 5327 5996",
            "(81) 3570-7492",
            "(021) 4006034",
            "079 4650 2145",
            "0910-5877671",
            "050-123-456",
        ),
    ],
)
@pytest.mark.parametrize("text", ["{}", "at {}, or never", "({})", "[{}]", "x:{}\n1", "{}-Office"])
def test_a_number_that_looks_like_nothing_else_needs_no_context(text: str, number: str) -> None:
    if number.startswith("(") and "({" in text:
        return
    assert kinds(text.format(number)) == [("PHONE", number)]


@pytest.mark.parametrize(
    "number",
    [
        *(
            "785 8949",
            "9885 1152",
            "96 237271",
            "75 196 772",
            "322 327 102",
            "28-81-33-70",
            "61 51 81",
            "88 165 40 96",
        ),
        *("2125550123", "612345678", "469 34 883", "99999-1234567"),
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        *(
            "You can call ",
            "They're not answering at ",
            "Phone: ",
            "PHONE ",
            "mobile ",
            "Fax:",
            "reach me on ",
        ),
        *(
            "Telefon: ",
            "meine Handynummer: ",
            "Rufnummer ",
            "téléphone : ",
            "appelez-moi au ",
            "teléfono ",
            "móvil: ",
        ),
        *("llámame al ", "celular ", "ligue para ", "telefone ", "電話番号は", "携帯:"),
    ],
)
def test_any_other_number_is_found_behind_a_word_for_phones(before: str, number: str) -> None:
    assert kinds(f"the {number}") == []
    assert kinds(f"{before}{number} today") == [("PHONE", number)]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "2024-01-15",
            "15.01.2024",
            "01/15/2024 10:30",
            "2019 - 2024",
            "10-11-24",
            "078-05-1120",
            "12345-6789",
        ),
        *("1,234.50", "1.234.567", "12 345 678 €", "USD 1 250 000 USD", "3.141592653589", "192.168.100.200"),
        *("1700000000", "1700000000123", "(2019) 123-456", "thr_12345678", "12:30:45", "4.1.2", "12"),
        *("1234567890123456", "550e8400-e29b-41d4-a716-446655440000"),
    ],
)
def test_other_values_stay_even_behind_such_a_word(value: str) -> None:
    assert kinds(f"Phone: {value}") == []


@pytest.mark.parametrize(
    "text", ["a telling 785 8949", "recall 785 8949", "x" * 70 + "785 8949", "phone" + " " * 64 + "785 8949"]
)
def test_a_word_counts_at_its_beginning_and_near(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "value",
    [
        "+999 123 4567",
        "+1 234 567",
        "+12",
        "004-78-5120",
        "007-1234567-1234567",
        "0012345678901",
        "00 10 20 30 40 50",
        "01 02 03 04",
    ],
)
def test_a_number_that_nobody_can_dial_stays(value: str) -> None:
    assert kinds(f"value {value}") == []


@pytest.mark.parametrize("name", LOOKALIKES)
def test_look_alikes_stay(name: str) -> None:
    chance = random.Random(name)
    for _ in range(100):
        assert kinds(f"It says {LOOKALIKES[name](chance)}, I think.") == []


def test_the_library_knows_the_lengths_of_each_country() -> None:
    assert lengths_by_library("1") == {10}
    assert lengths_by_library("45") == {8}
    assert lengths_by_library("210") == frozenset()


def test_without_the_library_the_rules_of_the_union_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = without_the_library(monkeypatch)
    assert contact.lengths is lengths_by_library
    assert alone.lengths is alone.lengths_by_rule
    assert lengths_by_rule("1") == {10}
    assert max(lengths_by_rule("49")) == max(lengths_by_rule("380")) + 1 == 13
    for number in ("+49 30 1234567", "+1-212-555-0123x4567", "0044 20 7946 0123", "212-555-0123"):
        assert kinds(f"at {number}", alone.CONTACT) == [("PHONE", number)]
    assert kinds("at +999 123 4567", alone.CONTACT) == []


@given(st.text("+()0123456789 .-/x@aé", max_size=60))
def test_what_is_found_begins_and_ends_with_what_belongs_to_it(text: str) -> None:
    for _, value in kinds(f"phone {text}"):
        assert value == value.strip(" ")
